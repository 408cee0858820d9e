/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec.h - config.json as plain structs
 *
 * Everything of runtime-spec 1.2 (and what 1.3 adds: netDevices, memoryPolicy,
 * intelRdt.schemata, vm.hwConfig) that means something to a Linux container.
 * oci_spec_load() gives a value that was parsed, type-checked and checked for
 * meaning (spec_check.h); what we refuse never gets here.
 *
 * Ownership: all memory belongs to the document and is freed by oci_spec_free().
 * The pointers are to const, so a caller may put its own strings in their place
 * (exec's options do) as long as those live longer.
 *
 * Order: arrays and maps keep the order of the file; mounts are done in it.
 *
 * Trust: config.json is the caller's, hence trusted in what it asks for, but
 * parsed as if it were not.
 * Uses:  base, json. Used by: launch, cmd_*, hooks.
 */
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/types.h"

/** enum oci_ns_type - namespaces; OCI_NS_COUNT bounds arrays of them */
enum oci_ns_type {
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_MOUNT,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_USER,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_COUNT,
};

/** enum oci_cap_set - the five capability sets */
enum oci_cap_set {
	OCI_CAPS_BOUNDING,
	OCI_CAPS_EFFECTIVE,
	OCI_CAPS_INHERITABLE,
	OCI_CAPS_PERMITTED,
	OCI_CAPS_AMBIENT,
	OCI_CAPS_COUNT,
};

enum oci_seccomp_action {
	OCI_SECCOMP_KILL_THREAD, /* also spelled SCMP_ACT_KILL */
	OCI_SECCOMP_KILL_PROCESS,
	OCI_SECCOMP_TRAP,
	OCI_SECCOMP_ERRNO,
	OCI_SECCOMP_TRACE,
	OCI_SECCOMP_ALLOW,
	OCI_SECCOMP_LOG,
	OCI_SECCOMP_NOTIFY, /* refused by spec_check */
};

enum oci_seccomp_op {
	OCI_SECCOMP_NE,
	OCI_SECCOMP_LT,
	OCI_SECCOMP_LE,
	OCI_SECCOMP_EQ,
	OCI_SECCOMP_GE,
	OCI_SECCOMP_GT,
	OCI_SECCOMP_MASKED_EQ,
};

/** struct oci_idmap - @size ids from @container_id on are @host_id and up outside */
struct oci_idmap {
	uint32_t container_id;
	uint32_t host_id;
	uint32_t size;
};

struct oci_idmaps {
	struct oci_idmap *v;
	size_t n;
};

struct oci_root {
	const char *path; /* absolute, or relative to the bundle */
	bool readonly;
};

struct oci_box {
	uint32_t height; /* rows, at most 65535 */
	uint32_t width;	 /* columns, at most 65535 */
};

struct oci_user {
	uint32_t uid;
	uint32_t gid;
	struct oci_opt_u32 umask;
	struct oci_u32v additional_gids;
	const char *username; /* Windows; ignored */
};

/**
 * struct oci_caps - capability sets
 * @names:   as written, per enum oci_cap_set
 * @present: which of the sets the file has (bit per enum oci_cap_set)
 * @mask:    bit n is capability n; unknown names are left out with a warning
 */
struct oci_caps {
	struct oci_strv names[OCI_CAPS_COUNT];
	uint32_t present;
	uint64_t mask[OCI_CAPS_COUNT];
};

struct oci_rlimit {
	int resource;  /* RLIMIT_* */
	uint64_t soft; /* UINT64_MAX is RLIM_INFINITY */
	uint64_t hard;
};

struct oci_rlimits {
	struct oci_rlimit *v;
	size_t n;
};

/** struct oci_scheduler - arguments of sched_setattr(2) */
struct oci_scheduler {
	int policy; /* SCHED_* */
	int32_t nice;
	int32_t priority;
	struct oci_strv flag_names;
	uint64_t flags; /* SCHED_FLAG_* of linux/sched.h */
	uint64_t runtime_ns;
	uint64_t deadline_ns;
	uint64_t period_ns;
};

struct oci_io_priority {
	int ioprio_class; /* 1 real-time, 2 best effort, 3 idle: IOPRIO_CLASS_* of the kernel */
	int32_t priority; /* 0..7 */
};

struct oci_exec_affinity {
	const char *initial; /* CPU lists like "0-3,7" */
	const char *final;
};

/**
 * struct oci_process - what to run
 *
 * @caps is NULL when the file has no capabilities: nothing is kept then, as in runc.
 * @args.n is at least 1 after the check.
 */
struct oci_process {
	bool terminal;
	struct oci_box *console_size;
	struct oci_user user;
	struct oci_strv args;
	struct oci_strv env;
	const char *cwd;
	struct oci_caps *caps;
	struct oci_rlimits rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	struct oci_opt_i64 oom_score_adj;
	struct oci_scheduler *scheduler;
	const char *selinux_label;
	struct oci_io_priority *io_priority;
	struct oci_exec_affinity *exec_affinity;
	const char *command_line; /* Windows; ignored */
};

/** enum oci_idmap_kind - a mount's idmap and ridmap options */
enum oci_idmap_kind {
	OCI_IDMAP_NONE,
	OCI_IDMAP_MOUNT,
	OCI_IDMAP_RECURSIVE,
};

/**
 * struct oci_mount_options - mount options, sorted by what to do with them
 * @flags:        MS_* to set, propagation excluded
 * @flags_clear:  MS_* named as cleared ("rw", "exec", ...): matters to bind remounts
 * @rec_set:      MOUNT_ATTR_* for mount_setattr(2) with AT_RECURSIVE ("rro" and kin)
 * @rec_clear:    the same, to clear
 * @propagation:  MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, maybe with MS_REC; 0 if unnamed
 * @bind:         "bind" or "rbind" is present, or the type is "bind"
 * @tmpcopyup:    a tmpfs starts with what was at its destination
 * @idmap:        map ids of the mount
 * @copy_symlink: mount a symbolic link as itself ("copy-symlink")
 * @data:         what remains, joined with commas: the file system's own options; NULL if none
 */
struct oci_mount_options {
	unsigned long flags;
	unsigned long flags_clear;
	uint64_t rec_set;
	uint64_t rec_clear;
	unsigned long propagation;
	bool bind;
	bool tmpcopyup;
	bool copy_symlink;
	enum oci_idmap_kind idmap;
	const char *data;
};

struct oci_mount {
	const char *destination; /* absolute after the check */
	const char *type;	 /* NULL when absent */
	const char *source; /* NULL when absent; of binds: absolute or relative to the bundle */
	struct oci_strv options; /* as written */
	struct oci_mount_options opt;
	struct oci_idmaps uid_mappings;
	struct oci_idmaps gid_mappings;
};

struct oci_mounts {
	struct oci_mount *v;
	size_t n;
};

struct oci_hook {
	const char *path;
	struct oci_strv args; /* argv as a whole; empty: just the path */
	struct oci_strv env;
	struct oci_opt_i64 timeout_s; /* positive when set */
};

struct oci_hookv {
	struct oci_hook *v;
	size_t n;
};

struct oci_hooks {
	struct oci_hookv prestart;
	struct oci_hookv create_runtime;
	struct oci_hookv create_container;
	struct oci_hookv start_container;
	struct oci_hookv poststart;
	struct oci_hookv poststop;
};

struct oci_namespace {
	enum oci_ns_type type;
	const char *path; /* NULL: a new one */
};

struct oci_namespaces {
	struct oci_namespace *v;
	size_t n;
};

struct oci_device {
	const char *path;
	char type; /* 'c', 'b' or 'p'; 'u' was turned into 'c' */
	const char *type_name;
	int64_t major;
	int64_t minor;
	struct oci_opt_u32 file_mode;
	struct oci_opt_u32 uid;
	struct oci_opt_u32 gid;
};

struct oci_devices {
	struct oci_device *v;
	size_t n;
};

/** struct oci_net_device - host interface @key moves in and is called @name (or keeps its name) */
struct oci_net_device {
	const char *key;
	const char *name;
};

struct oci_net_devices {
	struct oci_net_device *v;
	size_t n;
};

struct oci_device_rule {
	bool allow;
	const char *type;	  /* "a", "b", "c" or NULL for all */
	struct oci_opt_i64 major; /* absent or -1: any */
	struct oci_opt_i64 minor;
	const char *access; /* of "rwm"; NULL for all */
};

struct oci_device_rules {
	struct oci_device_rule *v;
	size_t n;
};

/** struct oci_memory - bytes; -1 means unlimited */
struct oci_memory {
	struct oci_opt_i64 limit;
	struct oci_opt_i64 reservation;
	struct oci_opt_i64 swap; /* memory and swap together */
	struct oci_opt_i64 kernel;
	struct oci_opt_i64 kernel_tcp;
	struct oci_opt_u64 swappiness; /* 0..100 */
	struct oci_opt_bool disable_oom_killer;
	struct oci_opt_bool use_hierarchy;
	struct oci_opt_bool check_before_update;
};

/** struct oci_cpu - times in microseconds; a quota of -1 (or 0) is no limit */
struct oci_cpu {
	struct oci_opt_u64 shares;
	struct oci_opt_i64 quota;
	struct oci_opt_u64 burst;
	struct oci_opt_u64 period;
	struct oci_opt_i64 realtime_runtime;
	struct oci_opt_u64 realtime_period;
	const char *cpus; /* CPU list */
	const char *mems; /* node list */
	struct oci_opt_i64 idle;
};

struct oci_pids {
	struct oci_opt_i64 limit; /* 0 and below: unlimited */
};

struct oci_weight_device {
	int64_t major;
	int64_t minor;
	struct oci_opt_u32 weight;
	struct oci_opt_u32 leaf_weight;
};

struct oci_weight_devices {
	struct oci_weight_device *v;
	size_t n;
};

struct oci_throttle_device {
	int64_t major;
	int64_t minor;
	uint64_t rate;
};

struct oci_throttle_devices {
	struct oci_throttle_device *v;
	size_t n;
};

struct oci_block_io {
	struct oci_opt_u32 weight; /* 10..1000 */
	struct oci_opt_u32 leaf_weight;
	struct oci_weight_devices weight_device;
	struct oci_throttle_devices read_bps;
	struct oci_throttle_devices write_bps;
	struct oci_throttle_devices read_iops;
	struct oci_throttle_devices write_iops;
};

struct oci_hugepage_limit {
	const char *page_size; /* "2MB" */
	uint64_t limit;	       /* bytes */
};

struct oci_hugepage_limits {
	struct oci_hugepage_limit *v;
	size_t n;
};

struct oci_if_priority {
	const char *name;
	uint32_t priority;
};

struct oci_if_priorities {
	struct oci_if_priority *v;
	size_t n;
};

struct oci_network {
	struct oci_opt_u32 class_id;
	struct oci_if_priorities priorities;
};

struct oci_rdma {
	const char *key; /* device */
	struct oci_opt_u32 hca_handles;
	struct oci_opt_u32 hca_objects;
};

struct oci_rdmas {
	struct oci_rdma *v;
	size_t n;
};

/** struct oci_resources - cgroup limits; also the file of `update --resources` */
struct oci_resources {
	struct oci_device_rules devices;
	struct oci_memory *memory;
	struct oci_cpu *cpu;
	struct oci_pids *pids;
	struct oci_block_io *block_io;
	struct oci_hugepage_limits hugepage_limits;
	struct oci_network *network;
	struct oci_rdmas rdma;
	struct oci_kvs unified; /* cgroup v2 file name and its content */
};

struct oci_seccomp_arg {
	uint32_t index; /* 0..5 */
	uint64_t value;
	uint64_t value_two;
	enum oci_seccomp_op op;
};

struct oci_seccomp_args {
	struct oci_seccomp_arg *v;
	size_t n;
};

struct oci_seccomp_rule {
	struct oci_strv names;
	enum oci_seccomp_action action;
	struct oci_opt_u32 errno_ret;
	struct oci_seccomp_args args;
};

struct oci_seccomp_rules {
	struct oci_seccomp_rule *v;
	size_t n;
};

struct oci_seccomp {
	enum oci_seccomp_action default_action;
	struct oci_opt_u32 default_errno_ret;
	struct oci_strv architectures; /* SCMP_ARCH_*, known names only */
	struct oci_strv flag_names;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
	const char *listener_path;
	const char *listener_metadata;
	struct oci_seccomp_rules syscalls;
};

struct oci_intel_rdt {
	const char *clos_id;
	struct oci_strv schemata;
	const char *l3_cache_schema;
	const char *mem_bw_schema;
	bool enable_cmt;
	bool enable_mbm;
	bool enable_monitoring;
};

struct oci_personality {
	uint32_t domain; /* PER_LINUX or PER_LINUX32 */
	struct oci_strv flags;
};

/** struct oci_time_offset - @key is "monotonic" or "boottime" */
struct oci_time_offset {
	const char *key;
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_time_offsets {
	struct oci_time_offset *v;
	size_t n;
};

/** struct oci_memory_policy - arguments of set_mempolicy(2) */
struct oci_memory_policy {
	int mode; /* MPOL_* */
	const char *nodes;
	struct oci_strv flag_names;
	uint32_t flags; /* MPOL_F_* */
};

struct oci_linux {
	struct oci_idmaps uid_mappings;
	struct oci_idmaps gid_mappings;
	struct oci_kvs sysctl;
	struct oci_resources *resources;
	const char *cgroups_path;
	struct oci_namespaces namespaces;
	struct oci_devices devices;
	struct oci_net_devices net_devices;
	struct oci_seccomp *seccomp;
	unsigned long rootfs_propagation; /* MS_*, as in oci_mount_options; 0 if absent */
	const char *rootfs_propagation_name;
	struct oci_strv masked_paths;
	struct oci_strv readonly_paths;
	const char *mount_label;
	struct oci_intel_rdt *intel_rdt;
	struct oci_personality *personality;
	struct oci_time_offsets time_offsets;
	struct oci_memory_policy *memory_policy;
};

struct oci_vm_kernel {
	const char *path;
	struct oci_strv parameters;
	const char *initrd;
};

struct oci_vm_hw {
	struct oci_opt_u32 vcpus;
	struct oci_opt_u64 memory; /* bytes */
};

struct oci_vm {
	struct oci_vm_kernel *kernel;
	struct oci_vm_hw *hw;
};

struct json_doc;

/**
 * struct oci_spec - one config.json
 * @name:     what messages call the file
 * @warnings: sentences about what was ignored, for the command layer to log
 * @doc:      owner of all memory
 */
struct oci_spec {
	const char *name;
	const char *oci_version;
	struct oci_process *process; /* may be NULL: such a container can't be started */
	struct oci_root *root;
	const char *hostname;
	const char *domainname;
	struct oci_mounts mounts;
	struct oci_hooks *hooks;
	struct oci_kvs annotations;
	struct oci_linux *linux_; /* never NULL after the load ("linux" is a macro of gnu11) */
	struct oci_vm *vm;
	struct oci_strv warnings;
	struct json_doc *doc;
};

/**
 * oci_spec_load() - read, parse and check a config.json
 * @dirfd:    bundle directory (AT_FDCWD allowed)
 * @path:     file below it
 * @out_spec: to be freed with oci_spec_free()
 * @err:      filled on failure
 *
 * Return: 0 or a negative errno value.
 */
int oci_spec_load(int dirfd, const char *path, struct oci_spec **out_spec, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_spec_parse() - oci_spec_load() of a text; @name is what messages call it */
int oci_spec_parse(const char *name, const char *text, size_t len, struct oci_spec **out_spec,
		   struct vr_err *err) __attribute__((warn_unused_result));

/** oci_spec_free() - free it; NULL is allowed */
void oci_spec_free(struct oci_spec *spec);

/**
 * struct oci_process_file - the file of `exec --process`
 * @process:  never NULL
 * @warnings: as in struct oci_spec
 */
struct oci_process_file {
	struct oci_process *process;
	struct oci_strv warnings;
	struct json_doc *doc;
};

/** oci_process_load() - read, parse and check a process file */
int oci_process_load(int dirfd, const char *path, struct oci_process_file **out_file,
		     struct vr_err *err) __attribute__((warn_unused_result));

/** oci_process_parse() - oci_process_load() of a text */
int oci_process_parse(const char *name, const char *text, size_t len,
		      struct oci_process_file **out_file, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_process_file_free() - free it; NULL is allowed */
void oci_process_file_free(struct oci_process_file *file);

/** struct oci_resources_file - the file of `update --resources` */
struct oci_resources_file {
	struct oci_resources *resources;
	struct oci_strv warnings;
	struct json_doc *doc;
};

/** oci_resources_load() - read, parse and check a resources file; "-" is standard input */
int oci_resources_load(int dirfd, const char *path, struct oci_resources_file **out_file,
		       struct vr_err *err) __attribute__((warn_unused_result));

/** oci_resources_parse() - oci_resources_load() of a text */
int oci_resources_parse(const char *name, const char *text, size_t len,
			struct oci_resources_file **out_file, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_resources_file_free() - free it; NULL is allowed */
void oci_resources_file_free(struct oci_resources_file *file);

/** oci_spec_ns() - the namespace of this type, or NULL when the container shares the host's */
const struct oci_namespace *oci_spec_ns(const struct oci_spec *spec, enum oci_ns_type type);

/** oci_kvs_get() - value for a key, or NULL */
const char *oci_kvs_get(const struct oci_kvs *kvs, const char *key);

#endif /* OCI_SPEC_H */
