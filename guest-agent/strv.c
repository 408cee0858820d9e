/* SPDX-License-Identifier: Apache-2.0 */
/* strv.c - string vectors of a message as the arrays execve wants; see strv.h */
#include "strv.h"

#include <stdlib.h>

char **strv_array(const struct ap_strv *v, size_t spare)
{
	char **array = calloc((size_t)v->count + spare + 1, sizeof(*array));
	const char *s = NULL;

	for (size_t i = 0; array && i < v->count && (s = ap_strv_next(v, s)); i++) {
		array[i] = (char *)s; /* execve's type is historical; nobody writes to it */
	}
	return array;
}
