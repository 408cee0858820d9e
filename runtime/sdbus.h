/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sdbus.h - libsystemd's D-Bus client, loaded when it is needed
 *
 * Most containers have nothing to do with systemd; they don't pay for loading its library and
 * the five that it brings.
 *
 * Threads: any; the library is loaded once and stays.
 * Uses:    base. Used by: scope.
 */
#ifndef VOLT_SDBUS_H
#define VOLT_SDBUS_H

#include <systemd/sd-bus.h>

#include "base/err.h"

#define SDBUS_FUNCTIONS(X)                                                                         \
	X(sd_bus_call)                                                                             \
	X(sd_bus_call_method)                                                                      \
	X(sd_bus_error_free)                                                                       \
	X(sd_bus_flush_close_unref)                                                                \
	X(sd_bus_get_property_string)                                                              \
	X(sd_bus_match_signal)                                                                     \
	X(sd_bus_message_append)                                                                   \
	X(sd_bus_message_append_array)                                                             \
	X(sd_bus_message_close_container)                                                          \
	X(sd_bus_message_new_method_call)                                                          \
	X(sd_bus_message_open_container)                                                           \
	X(sd_bus_message_read)                                                                     \
	X(sd_bus_message_unref)                                                                    \
	X(sd_bus_new)                                                                              \
	X(sd_bus_open_system)                                                                      \
	X(sd_bus_open_user)                                                                        \
	X(sd_bus_process)                                                                          \
	X(sd_bus_set_address)                                                                      \
	X(sd_bus_set_method_call_timeout)                                                          \
	X(sd_bus_start)                                                                            \
	X(sd_bus_wait)

#define SDBUS_MEMBER(f) __typeof__(&f) f;

/** struct sdbus - the library's functions under their own names */
struct sdbus {
	SDBUS_FUNCTIONS(SDBUS_MEMBER)
};

/**
 * sdbus_load() - load the library
 *
 * Return: its functions, or NULL with @err.
 */
const struct sdbus *sdbus_load(struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_SDBUS_H */
