/* SPDX-License-Identifier: Apache-2.0 */
/* strv.h - string vectors of a message as the arrays execve wants */
#ifndef AGENT_STRV_H
#define AGENT_STRV_H

#include "base/agent_proto.h"

/** strv_array() - NULL-terminated array of the borrowed strings, with @spare unused slots before
 *  the terminator. Heap; NULL when out of memory. */
char **strv_array(const struct ap_strv *v, size_t spare);

#endif /* AGENT_STRV_H */
