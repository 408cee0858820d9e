/* SPDX-License-Identifier: Apache-2.0 */
/* sdbus.c - libsystemd's D-Bus client, loaded when it is needed; see sdbus.h */
#include "sdbus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libsystemd.so.0"

static bool find(void *lib, const char *name, void *out_function)
{
	void *p = dlsym(lib, name);

	memcpy(out_function, &p, sizeof(p)); /* POSIX: a function's address fits */
	return p != NULL;
}

const struct sdbus *sdbus_load(struct vr_err *err)
{
	static struct sdbus functions;
	static bool loaded;
	bool ok = true;
	void *lib;

	if (loaded) {
		return &functions;
	}
	lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		(void)vr_err_set(err, ENOENT, "systemd: load its library: %s", dlerror());
		return NULL;
	}
#define FIND(f) ok = ok && find(lib, #f, &functions.f);
	SDBUS_FUNCTIONS(FIND)
#undef FIND
	if (!ok) {
		(void)vr_err_set(err, ENOSYS, "systemd: its library is too old: %s", dlerror());
		(void)dlclose(lib);
		return NULL;
	}
	loaded = true;
	return &functions;
}
