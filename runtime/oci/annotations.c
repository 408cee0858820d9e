/* SPDX-License-Identifier: Apache-2.0 */
/* annotations.c - settings of ours among a container's annotations; see annotations.h */
#include "oci/annotations.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static int set_rootfs(struct oci_settings *s, const char *value)
{
	if (strcmp(value, "share") == 0) {
		s->rootfs = OCI_ROOTFS_SHARE;
	} else if (strcmp(value, "image") == 0) {
		s->rootfs = OCI_ROOTFS_IMAGE;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int parse_number(const char *value, uint32_t min, uint32_t max, struct oci_opt_u32 *out)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)value[0])) {
		return -EINVAL;
	}
	errno = 0;
	v = strtoul(value, &end, 10);
	if (errno != 0 || *end != '\0' || v < min || v > max) {
		return -EINVAL;
	}
	*out = (struct oci_opt_u32){.set = true, .v = (uint32_t)v};
	return 0;
}

static int set_memory(struct oci_settings *s, const char *value)
{
	return parse_number(value, OCI_MEMORY_MIB_MIN, OCI_MEMORY_MIB_MAX, &s->memory_mib);
}

static int set_vcpus(struct oci_settings *s, const char *value)
{
	return parse_number(value, 1, OCI_VCPUS_MAX, &s->vcpus);
}

static int set_boot_timeout(struct oci_settings *s, const char *value)
{
	struct oci_opt_u32 v;
	int rc = parse_number(value, 1, OCI_BOOT_TIMEOUT_S_MAX, &v);

	if (rc == 0) {
		s->boot_timeout_s = v.v;
	}
	return rc;
}

static int set_net_egress(struct oci_settings *s, const char *value)
{
	s->net_egress = value;
	return value[0] != '\0' ? 0 : -EINVAL;
}

static int set_net_vhost(struct oci_settings *s, const char *value)
{
	static const char *const words[] = {
		[OCI_VHOST_OFF] = "off", [OCI_VHOST_AUTO] = "auto", [OCI_VHOST_ON] = "on"};

	for (size_t i = 0; i < VR_ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			s->net_vhost = (enum oci_vhost)i;
			return 0;
		}
	}
	return -EINVAL;
}

static const struct oci_annotation table[] = {
	{"dev.volt.rootfs", "share or image", "share",
	 "serve the rootfs from the host, or pack it into an image before the boot"},
	{"dev.volt.memory", "a number from 64 to 1048576", "from the memory limit, else 512",
	 "memory of the machine in MiB"},
	{"dev.volt.vcpus", "a number from 1 to 64", "from the CPU limits",
	 "number of virtual CPUs"},
	{"dev.volt.boot_timeout", "a number from 1 to 3600", "180",
	 "seconds until a guest that doesn't get ready is given up"},
	{"dev.volt.net.egress", "a list of ADDRESS[/LENGTH][:PORT] or dns, or none", "everything",
	 "where the container may send to; enforced on the host"},
	{"dev.volt.net.vhost", "on, off or auto", "off",
	 "the host's kernel serves the network (vhost-net), auto: where there is /dev/vhost-net"},
};

static int (*const setters[])(struct oci_settings *s, const char *value) = {
	set_rootfs, set_memory, set_vcpus, set_boot_timeout, set_net_egress, set_net_vhost,
};

_Static_assert(VR_ARRAY_SIZE(table) == VR_ARRAY_SIZE(setters), "a setter for each name");
_Static_assert(OCI_MEMORY_MIB_MIN == 64 && OCI_MEMORY_MIB_MAX == 1048576 && OCI_VCPUS_MAX == 64 &&
		       OCI_BOOT_TIMEOUT_S == 180 && OCI_BOOT_TIMEOUT_S_MAX == 3600,
	       "the table's words name the bounds");

const struct oci_annotation *oci_annotations_table(size_t *out_n)
{
	*out_n = VR_ARRAY_SIZE(table);
	return table;
}

static int set_one(const char *name, const struct oci_kv *kv, struct oci_settings *s,
		   struct vr_err *err)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].name, kv->key) != 0) {
			continue;
		}
		if (setters[i](s, kv->value) < 0) {
			return vr_err_set(err, EINVAL,
					  "%s: annotations[\"%s\"]: must be %s, not '%.100s'", name,
					  kv->key, table[i].values, kv->value);
		}
		return 0;
	}
	return vr_err_set(err, EINVAL, "%s: annotations[\"%.100s\"]: no such setting", name,
			  kv->key);
}

int oci_settings_parse(const char *name, const struct oci_kvs *annotations,
		       struct oci_settings *out, struct vr_err *err)
{
	struct oci_settings s = {
		.rootfs = OCI_ROOTFS_SHARE,
		.boot_timeout_s = OCI_BOOT_TIMEOUT_S,
	};

	for (size_t i = 0; i < annotations->n; i++) {
		const struct oci_kv *kv = &annotations->v[i];
		int r;

		if (strncmp(kv->key, OCI_ANNOTATION_PREFIX, strlen(OCI_ANNOTATION_PREFIX)) != 0) {
			continue;
		}
		r = set_one(name, kv, &s, err);
		if (r < 0) {
			return r;
		}
	}
	*out = s;
	return 0;
}
