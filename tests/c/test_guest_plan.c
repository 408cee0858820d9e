/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_plan.c - config.json compiled for the guest: every field but mounts and limits */
#include "cm.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/checked.h"
#include "plan_fixture.h"

/* The strings of a vector, as the decoder or the configuration has it. */
static void assert_strings(const struct ap_strv *v, const char *const *want, uint32_t n)
{
	assert_int_equal(v->count, n);
	for (uint32_t i = 0; v->vec && i < n; i++) {
		assert_string_equal(v->vec[i], want[i]);
	}
	if (!v->vec) {
		const char *s = NULL;

		for (uint32_t i = 0; i < n; i++) {
			s = ap_strv_next(v, s);
			assert_non_null(s);
			assert_string_equal(s, want[i]);
		}
		assert_null(ap_strv_next(v, s));
	}
}

#define ASSERT_STRINGS(v, ...)                                                                     \
	assert_strings((v), (const char *const[]){__VA_ARGS__},                                    \
		       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void minimal_configuration(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, CONFIG(""));
	assert_int_equal(p.c->flags, 0);
	assert_int_equal(p.c->namespaces, AP_NS_MOUNT); /* in any case */
	assert_null(p.c->rootfs);
	assert_null(p.c->hostname);
	assert_int_equal(p.c->n_mounts + p.c->n_devices + p.c->n_sysctls + p.c->n_hooks, 0);
	assert_int_equal(p.c->rootfs_propagation, 0);
	assert_int_equal(p.c->masked.count + p.c->readonly.count, 0);
	assert_int_equal(p.plan.n_shares, 0);
	assert_null(p.plan.seccomp);
	plan_done(&p);
}

static void minimal_process(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, PROCESS(""));
	assert_int_equal(p.c->flags, AP_C_HAS_PROCESS);
	/* Capabilities are always meant: a file without them means none. */
	assert_int_equal(p.c->process.flags, AP_P_HAS_CAPS);
	for (unsigned i = 0; i < AP_CAPS_COUNT; i++) {
		assert_int_equal(p.c->process.caps[i], 0);
	}
	assert_int_equal(p.c->process.stdio, AP_STDIO_ALL);
	ASSERT_STRINGS(&p.c->process.args, "sh");
	assert_int_equal(p.c->process.env.count, 0);
	assert_string_equal(p.c->process.cwd, "/");
	assert_int_equal(p.c->process.uid, 0);
	assert_int_equal(p.c->process.n_gids, 0);
	assert_int_equal(p.c->process.rows | p.c->process.cols, 0);
	plan_done(&p);
}

#define EVERYTHING                                                                                 \
	"{'ociVersion':'1.2.0','root':{'path':'r','readonly':true},'hostname':'h',"                \
	"'domainname':'d','process':{'terminal':true,'consoleSize':{'height':24,'width':80},"      \
	"'user':{'uid':1000,'gid':1001,'umask':18,'additionalGids':[5,6]},"                        \
	"'args':['sh','-c','true'],'env':['A=1','B='],'cwd':'/w','capabilities':{"                 \
	"'bounding':['CAP_CHOWN'],'effective':['CAP_KILL'],'inheritable':['CAP_NET_RAW'],"         \
	"'permitted':['CAP_KILL','CAP_NET_RAW','CAP_BPF'],'ambient':['CAP_NET_RAW']},"             \
	"'rlimits':[{'type':'RLIMIT_NOFILE','soft':1024,'hard':18446744073709551615},"             \
	"{'type':'RLIMIT_CORE','soft':0,'hard':0}],'noNewPrivileges':true,'oomScoreAdj':-500,"     \
	"'scheduler':{'policy':'SCHED_FIFO','nice':0,'priority':7,"                                \
	"'flags':['SCHED_FLAG_RESET_ON_FORK']},"                                                   \
	"'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':3}},"                                  \
	"'hooks':{'startContainer':[{'path':'/h','args':['h','x'],'env':['K=V'],'timeout':5},"     \
	"{'path':'/i'}],'poststop':[{'path':'/no'}]},"                                             \
	"'linux':{'namespaces':[{'type':'pid'},{'type':'ipc'},{'type':'uts'},{'type':'cgroup'},"   \
	"{'type':'mount'},{'type':'network'},{'type':'time'}],"                                    \
	"'timeOffsets':{'monotonic':{'secs':-5,'nanosecs':7},'boottime':{'secs':9}},"              \
	"'sysctl':{'net.ipv4.ip_forward':'1','kernel.msgmax':'2'},"                                \
	"'devices':[{'path':'/dev/x','type':'c','major':1,'minor':3,'fileMode':432,'uid':1,"       \
	"'gid':2},{'path':'/dev/sda','type':'b','major':8,'minor':0},"                             \
	"{'path':'/run/pipe','type':'p'},{'path':'/dev/u','type':'u','major':10,'minor':229}],"    \
	"'maskedPaths':['/proc/kcore','/proc/keys'],'readonlyPaths':['/proc/sys'],"                \
	"'rootfsPropagation':'rslave','personality':{'domain':'LINUX32'},"                         \
	"'resources':{'pids':{'limit':3}},"                                                        \
	"'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_LOG'],"         \
	"'syscalls':[{'names':['reboot'],'action':'SCMP_ACT_ERRNO'}]}}}"

static void check_process(const struct ap_process *p)
{
	assert_int_equal(p->flags, AP_P_TTY | AP_P_NO_NEW_PRIVS | AP_P_HAS_CAPS | AP_P_HAS_UMASK |
					   AP_P_HAS_OOM | AP_P_HAS_SCHED | AP_P_HAS_IOPRIO |
					   AP_P_HAS_PERSONALITY | AP_P_HAS_SECCOMP);
	ASSERT_STRINGS(&p->args, "sh", "-c", "true");
	ASSERT_STRINGS(&p->env, "A=1", "B=");
	assert_string_equal(p->cwd, "/w");
	assert_int_equal(p->uid, 1000);
	assert_int_equal(p->gid, 1001);
	assert_int_equal(p->umask, 022);
	assert_int_equal(p->n_gids, 2);
	assert_int_equal(p->gids[0], 5);
	assert_int_equal(p->gids[1], 6);
	assert_int_equal(p->rows, 24);
	assert_int_equal(p->cols, 80);
	assert_int_equal(p->oom_score_adj, -500);
	assert_int_equal(p->ioprio, 2 << 13 | 3);
	assert_int_equal(p->personality, 8); /* PER_LINUX32 */
	assert_int_equal(p->cpus_initial | p->cpus_final, 0);
}

static void check_limits_of_process(const struct ap_process *p)
{
	assert_int_equal(p->caps[AP_CAPS_BOUNDING], UINT64_C(1) << 0);
	assert_int_equal(p->caps[AP_CAPS_EFFECTIVE], UINT64_C(1) << 5);
	assert_int_equal(p->caps[AP_CAPS_INHERITABLE], UINT64_C(1) << 13);
	assert_int_equal(p->caps[AP_CAPS_PERMITTED],
			 UINT64_C(1) << 5 | UINT64_C(1) << 13 | UINT64_C(1) << 39);
	assert_int_equal(p->caps[AP_CAPS_AMBIENT], UINT64_C(1) << 13);
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits[0].soft, 1024);
	assert_true(p->rlimits[0].hard == UINT64_MAX);
	assert_int_equal(p->rlimits[1].resource, RLIMIT_CORE);
	assert_int_equal(p->rlimits[1].hard, 0);
	assert_int_equal(p->sched.policy, SCHED_FIFO);
	assert_int_equal(p->sched.priority, 7);
	assert_int_equal(p->sched.flags, 1);
	assert_true(p->n_seccomp > 0);
	assert_int_equal(p->seccomp_flags, 2); /* SECCOMP_FILTER_FLAG_LOG */
}

static void check_devices(const struct ap_container *c)
{
	assert_int_equal(c->n_devices, 3); /* the disk is the host's */
	assert_string_equal(c->devices[0].path, "/dev/x");
	assert_int_equal(c->devices[0].type, 'c');
	assert_int_equal(c->devices[0].major, 1);
	assert_int_equal(c->devices[0].minor, 3);
	assert_int_equal(c->devices[0].mode, 0660);
	assert_int_equal(c->devices[0].uid, 1);
	assert_int_equal(c->devices[0].gid, 2);
	assert_string_equal(c->devices[1].path, "/run/pipe");
	assert_int_equal(c->devices[1].type, 'p');
	assert_int_equal(c->devices[1].mode, 0666);
	assert_int_equal(c->devices[1].uid | c->devices[1].gid, 0);
	assert_string_equal(c->devices[2].path, "/dev/u");
	assert_int_equal(c->devices[2].type, 'c');
	assert_int_equal(c->devices[2].major, 10);
}

static void check_container(const struct ap_container *c)
{
	assert_int_equal(c->flags, AP_C_READONLY_ROOT | AP_C_HAS_PROCESS | AP_C_TIME_OFFSETS);
	assert_int_equal(c->namespaces, AP_NS_PID | AP_NS_IPC | AP_NS_UTS | AP_NS_CGROUP |
						AP_NS_MOUNT | AP_NS_TIME);
	assert_string_equal(c->hostname, "h");
	assert_string_equal(c->domainname, "d");
	assert_int_equal(c->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_int_equal(c->monotonic_s, -5);
	assert_int_equal(c->monotonic_ns, 7);
	assert_int_equal(c->boottime_s, 9);
	assert_int_equal(c->boottime_ns, 0);
	ASSERT_STRINGS(&c->masked, "/proc/kcore", "/proc/keys");
	ASSERT_STRINGS(&c->readonly, "/proc/sys");
	assert_int_equal(c->n_sysctls, 2);
	assert_string_equal(c->sysctls[0].key, "net/ipv4/ip_forward");
	assert_string_equal(c->sysctls[0].value, "1");
	assert_string_equal(c->sysctls[1].key, "kernel/msgmax");
	assert_int_equal(c->resources.pids_max, 3);
	assert_int_equal(c->resources.memory_max, AP_UNSET);
	assert_int_equal(c->n_hooks, 2); /* those of the container's side alone */
	assert_string_equal(c->hooks[0].path, "/h");
	ASSERT_STRINGS(&c->hooks[0].args, "h", "x");
	ASSERT_STRINGS(&c->hooks[0].env, "K=V");
	assert_int_equal(c->hooks[0].timeout_s, 5);
	assert_string_equal(c->hooks[1].path, "/i");
	assert_int_equal(c->hooks[1].args.count, 0);
	assert_int_equal(c->hooks[1].timeout_s, 0);
}

static void every_field_arrives(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, EVERYTHING);
	check_container(p.c);
	check_devices(p.c);
	check_process(&p.c->process);
	check_limits_of_process(&p.c->process);
	assert_ptr_equal(p.c->process.seccomp, p.plan.seccomp);
	plan_done(&p);
}

static void the_guest_reads_the_same(void **state)
{
	struct ap_container *got = calloc(1, sizeof(*got));
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	uint8_t *frame = malloc(cap);
	struct ap_header h;
	struct planned p;
	long n;

	(void)state;
	assert_non_null(got);
	assert_non_null(frame);
	plan_of(&p, EVERYTHING);
	n = ap_encode_create(p.c, 2, frame, cap);
	assert_true(n > 0);
	assert_int_equal(ap_decode_header(frame, &h), 0);
	assert_int_equal(h.type, AP_MSG_CREATE);
	assert_int_equal(h.len + AP_HEADER_LEN, n);
	assert_int_equal(ap_decode_create(frame + AP_HEADER_LEN, h.len, got), 0);
	check_container(got);
	check_devices(got);
	check_process(&got->process);
	check_limits_of_process(&got->process);
	assert_int_equal(got->process.n_seccomp, p.c->process.n_seccomp);
	assert_memory_equal(got->process.seccomp, p.plan.seccomp,
			    got->process.n_seccomp * sizeof(struct sock_filter));
	plan_done(&p);
	free(frame);
	free(got);
}

static void deadline_scheduling(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, PROCESS(",'scheduler':{'policy':'SCHED_DEADLINE','nice':5,'priority':0,"
			    "'runtime':10,'deadline':20,'period':30}"));
	assert_int_equal(p.c->process.sched.policy, 6);
	assert_int_equal(p.c->process.sched.nice, 5);
	assert_int_equal(p.c->process.sched.runtime_ns, 10);
	assert_int_equal(p.c->process.sched.deadline_ns, 20);
	assert_int_equal(p.c->process.sched.period_ns, 30);
	plan_done(&p);
}

static void capability_masks(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, PROCESS(",'capabilities':{'bounding':['CAP_CHOWN','CAP_CHOWN','CAP_NO_SUCH',"
			    "'CAP_CHECKPOINT_RESTORE']}"));
	assert_int_equal(p.c->process.caps[AP_CAPS_BOUNDING], UINT64_C(1) << 40 | 1);
	assert_int_equal(p.c->process.caps[AP_CAPS_EFFECTIVE], 0);
	assert_int_equal(p.c->process.caps[AP_CAPS_PERMITTED], 0);
	plan_done(&p);
}

static void umasks_are_what_the_kernel_takes(void **state)
{
	uint8_t frame[4096];
	struct planned p;

	(void)state;
	plan_of(&p, PROCESS(",'user':{'umask':4077}")); /* 07755 */
	assert_int_equal(p.c->process.umask, 0755);
	assert_true(ap_encode_create(p.c, 2, frame, sizeof(frame)) > 0); /* more is refused */
	plan_done(&p);
	plan_of(&p, PROCESS(",'user':{'umask':0}"));
	assert_int_equal(p.c->process.flags & AP_P_HAS_UMASK, AP_P_HAS_UMASK);
	assert_int_equal(p.c->process.umask, 0);
	plan_done(&p);
}

#define RULES "'resources':{'devices':[{'allow':false,'access':'rwm'},"

static void named_block_devices_are_disks(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p,
		LINUX("'devices':[{'path':'/dev/a','type':'b','major':8,'minor':0},"
		      "{'path':'/dev/b','type':'b','major':8,'minor':16,'fileMode':432,'gid':6},"
		      "{'path':'/dev/c','type':'b','major':8,'minor':32},"
		      "{'path':'/dev/d','type':'b','major':8,'minor':48}]," RULES
		      "{'allow':true,'type':'b','major':8,'minor':16,'access':'rwm'},"
		      "{'allow':true,'type':'b','major':8,'minor':32,'access':'r'},"
		      "{'allow':true,'type':'b','major':8,'minor':48,'access':'rwm'},"
		      "{'allow':false,'type':'b','major':8,'minor':48,'access':'rwm'}]}"));
	assert_int_equal(p.plan.n_disks, 2);
	assert_int_equal(p.plan.disks[0].dev->minor, 16);
	assert_false(p.plan.disks[0].ro);
	assert_true(p.plan.disks[1].ro);
	assert_int_equal(p.c->n_devices, 2);
	assert_string_equal(p.c->devices[0].path, "/dev/b");
	assert_int_equal(p.c->devices[0].major, AP_DEV_DISK);
	assert_int_equal(p.c->devices[0].minor, 0);
	assert_int_equal(p.c->devices[0].mode, 0660);
	assert_int_equal(p.c->devices[0].gid, 6);
	assert_int_equal(p.c->devices[1].minor, 1);
	plan_done(&p);
	/* A privileged container lists them all and allows everything: that gives none away. */
	plan_of(&p, LINUX("'devices':[{'path':'/dev/a','type':'b','major':8,'minor':0}],"
			  "'resources':{'devices':[{'allow':true,'access':'rwm'}]}"));
	assert_int_equal(p.plan.n_disks, 0);
	assert_int_equal(p.c->n_devices, 0);
	plan_done(&p);
	plan_refused(LINUX("'devices':[{'path':'/a','type':'b','major':8,'minor':0},"
			   "{'path':'/b','type':'b','major':8,'minor':0},"
			   "{'path':'/c','type':'b','major':8,'minor':0},"
			   "{'path':'/d','type':'b','major':8,'minor':0},"
			   "{'path':'/e','type':'b','major':8,'minor':0}]," RULES
			   "{'allow':true,'type':'b','major':8,'minor':0}]}"),
		     E2BIG, "config.json: linux.devices: '/e': more than 4 block devices");
}

static void sysctls_are_paths_for_the_agent(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, LINUX("'sysctl':{'net.ipv4.conf.eth0/1.rp_filter':'0',"
			  "'net/ipv4/conf/eth0.1/rp_filter':'1'}"));
	assert_string_equal(p.c->sysctls[0].key, "net/ipv4/conf/eth0.1/rp_filter");
	assert_string_equal(p.c->sysctls[1].key, "net/ipv4/conf/eth0.1/rp_filter");
	plan_done(&p);
}

static void a_user_namespace_has_the_hosts_ids_outside(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, LINUX("'namespaces':[{'type':'user'}],"
			  "'uidMappings':[{'containerID':0,'hostID':100000,'size':1000},"
			  "{'containerID':1000,'hostID':5,'size':1}],"
			  "'gidMappings':[{'containerID':0,'hostID':200000,'size':9}]"));
	assert_int_equal(p.c->namespaces, AP_NS_MOUNT | AP_NS_USER);
	assert_int_equal(p.c->n_uidmaps, 2);
	assert_int_equal(p.c->uidmaps[1].inside, 1000);
	assert_int_equal(p.c->uidmaps[1].outside, 5);
	assert_int_equal(p.c->uidmaps[1].count, 1);
	assert_int_equal(p.c->n_gidmaps, 1);
	assert_int_equal(p.c->gidmaps[0].outside, 200000);
	plan_done(&p);
}

static void namespaces_by_path_are_new_ones_in_the_guest(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, LINUX("'namespaces':[{'type':'pid','path':'/proc/1/ns/pid'},"
			  "{'type':'network','path':'/run/netns/x'},"
			  "{'type':'user','path':'/proc/1/ns/user'}]"));
	assert_int_equal(p.c->namespaces, AP_NS_MOUNT | AP_NS_PID | AP_NS_USER);
	assert_int_equal(p.c->n_uidmaps, 0); /* launch asks the namespace */
	plan_done(&p);
}

static void only_virtual_devices_exist(void **state)
{
	static const struct {
		const char *device;
		bool kept;
	} table[] = {
		{"'type':'c','major':1,'minor':3", true},     /* null */
		{"'type':'c','major':1,'minor':5", true},     /* zero */
		{"'type':'c','major':1,'minor':7", true},     /* full */
		{"'type':'c','major':1,'minor':8", true},     /* random */
		{"'type':'c','major':1,'minor':9", true},     /* urandom */
		{"'type':'c','major':1,'minor':11", true},    /* kmsg */
		{"'type':'c','major':5,'minor':0", true},     /* tty */
		{"'type':'c','major':5,'minor':2", true},     /* ptmx */
		{"'type':'c','major':10,'minor':200", true},  /* net/tun */
		{"'type':'c','major':10,'minor':229", true},  /* fuse */
		{"'type':'c','major':1,'minor':1", false},    /* mem */
		{"'type':'c','major':1,'minor':4", false},    /* port */
		{"'type':'c','major':10,'minor':232", false}, /* kvm */
		{"'type':'b','major':1,'minor':3", false},    /* a RAM disk, not null */
		{"'type':'b','major':8,'minor':0", false},
		{"'type':'c','major':226,'minor':0", false},
	};
	struct planned p;
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text), LINUX("'devices':[{'path':'/dev/d',%s}]"),
			       table[i].device);
		plan_of(&p, text);
		if (p.c->n_devices != (table[i].kept ? 1u : 0u)) {
			fail_msg("%s", table[i].device);
		}
		plan_done(&p);
	}
}

static void device_modes_are_permissions_only(void **state)
{
	struct planned p;

	(void)state;
	/* 020666: engines copy st_mode with its type */
	plan_of(&p, LINUX("'devices':[{'path':'/dev/d','type':'c','major':1,'minor':3,"
			  "'fileMode':8630}]"));
	assert_int_equal(p.c->devices[0].mode, 0666);
	plan_done(&p);
}

/* ---- limits of the protocol ---- */

/* "HEAD" "ITEM,ITEM,...ITEM" "TAIL"; a # in @item is its number */
static char *many(const char *head, const char *item, unsigned n, const char *tail)
{
	size_t size = strlen(head) + n * (strlen(item) + 12) + strlen(tail) + 1;
	char *text = malloc(size);
	size_t used;

	assert_non_null(text);
	used = (size_t)sprintf(text, "%s", head);
	for (unsigned i = 0; i < n; i++) {
		used += (size_t)sprintf(text + used, "%s", i > 0 ? "," : "");
		for (const char *p = item; *p != '\0'; p++) {
			if (*p == '#') {
				used += (size_t)sprintf(text + used, "%u", i);
			} else {
				text[used++] = *p;
			}
		}
	}
	(void)sprintf(text + used, "%s", tail);
	return text;
}

#define ROOT "{'ociVersion':'1.2.0','root':{'path':'r'},"

static void numbers_are_limited(void **state)
{
	static const struct {
		const char *head, *item, *tail, *what;
		unsigned max;
	} table[] = {
		{ROOT "'process':{'cwd':'/','args':['a'],'user':{'additionalGids':[", "#", "]}}}",
		 "process.user.additionalGids", AP_MAX_GIDS},
		{ROOT "'linux':{'sysctl':{", "'net.x#':'1'", "}}}", "linux.sysctl", AP_MAX_SYSCTLS},
		{ROOT "'hooks':{'startContainer':[", "{'path':'/h'}", "]}}", "hooks.startContainer",
		 AP_MAX_HOOKS},
		{ROOT "'linux':{'devices':[", "{'path':'/d#','type':'p'}", "]}}", "linux.devices",
		 AP_MAX_DEVICES},
		{ROOT "'mounts':[", "{'destination':'/#','type':'tmpfs'}", "]}", "mounts",
		 AP_MAX_MOUNTS},
	};
	struct planned p;
	char message[128];
	char *text;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		text = many(table[i].head, table[i].item, table[i].max, table[i].tail);
		plan_of(&p, text);
		plan_done(&p);
		free(text);
		text = many(table[i].head, table[i].item, table[i].max + 1, table[i].tail);
		(void)snprintf(message, sizeof(message),
			       "config.json: %s: %u entries, at most %u are possible",
			       table[i].what, table[i].max + 1, table[i].max);
		plan_refused(text, E2BIG, message);
		free(text);
	}
}

static void host_devices_do_not_count(void **state)
{
	char *text = many(ROOT "'linux':{'devices':[",
			  "{'path':'/d#','type':'b','major':8,"
			  "'minor':0}",
			  AP_MAX_DEVICES + 44, "]}}");
	struct planned p;

	(void)state;
	plan_of(&p, text); /* --privileged lists all of them */
	assert_int_equal(p.c->n_devices, 0);
	plan_done(&p);
	free(text);
}

static void a_process_on_its_own(void **state)
{
	struct oci_process_file *file = NULL;
	struct ap_process *out = calloc(1, sizeof(*out));
	struct vr_err err = VR_ERR_INIT;
	char *json = quoted("{'cwd':'/x','args':['id','-u'],'user':{'uid':7,'gid':8}}");

	(void)state;
	assert_non_null(out);
	assert_no_error(oci_process_parse("p.json", json, strlen(json), &file, &err), err);
	assert_no_error(guest_plan_process(file->process, out, &err), err);
	ASSERT_STRINGS(&out->args, "id", "-u");
	assert_int_equal(out->uid, 7);
	assert_int_equal(out->gid, 8);
	assert_int_equal(out->flags, AP_P_HAS_CAPS);
	oci_process_file_free(file);
	free(json);
	free(out);
}

static void a_failure_leaves_a_plan_that_can_be_finished(void **state)
{
	struct planned p;

	(void)state;
	plan_any(&p, CONFIG(",'mounts':[{'destination':'/a','type':'bind','source':'/'},"
			    "{'destination':'/b','type':'bind','source':'/no/such'}]"));
	assert_int_equal(p.rc, -ENOENT);
	guest_plan_finish(&p.plan);
	assert_null(p.plan.container);
	plan_done(&p); /* once more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minimal_configuration),
		cmocka_unit_test(minimal_process),
		cmocka_unit_test(every_field_arrives),
		cmocka_unit_test(the_guest_reads_the_same),
		cmocka_unit_test(deadline_scheduling),
		cmocka_unit_test(capability_masks),
		cmocka_unit_test(umasks_are_what_the_kernel_takes),
		cmocka_unit_test(named_block_devices_are_disks),
		cmocka_unit_test(sysctls_are_paths_for_the_agent),
		cmocka_unit_test(a_user_namespace_has_the_hosts_ids_outside),
		cmocka_unit_test(namespaces_by_path_are_new_ones_in_the_guest),
		cmocka_unit_test(only_virtual_devices_exist),
		cmocka_unit_test(device_modes_are_permissions_only),
		cmocka_unit_test(numbers_are_limited),
		cmocka_unit_test(host_devices_do_not_count),
		cmocka_unit_test(a_process_on_its_own),
		cmocka_unit_test(a_failure_leaves_a_plan_that_can_be_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
