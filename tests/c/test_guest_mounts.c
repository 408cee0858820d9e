/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_mounts.c - config.json's mounts compiled for the guest: shares, and what is its own */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fdio.h"
#include "plan_fixture.h"

/** struct world - a directory with sources of binds: dir/, file */
struct world {
	char dir[64];
	int tmp;
};

static int world_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd;

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/volt-mounts-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->tmp = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->tmp >= 0);
	assert_int_equal(mkdirat(w->tmp, "dir", 0700), 0);
	fd = openat(w->tmp, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	*state = w;
	return 0;
}

static int world_down(void **state)
{
	struct world *w = *state;
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)close(w->tmp);
	assert_int_equal(vr_remove_tree(tmp, w->dir + strlen("/tmp/")), 0);
	(void)close(tmp);
	free(w);
	return 0;
}

/* plan_of() with @ in the text replaced by the world's directory */
static void plan_in(struct planned *p, const struct world *w, const char *text)
{
	char out[4096];
	size_t used = 0;

	for (; *text != '\0'; text++) {
		assert_true(used + sizeof(w->dir) + 1 < sizeof(out));
		if (*text == '@') {
			used += (size_t)sprintf(out + used, "%s", w->dir);
		} else {
			out[used++] = *text;
		}
	}
	out[used] = '\0';
	plan_of(p, out);
}

/* ---- file systems of the guest ---- */

static void guest_file_systems_pass_through(void **state)
{
	const struct ap_mount *m;
	struct planned p;

	(void)state;
	plan_of(&p, MOUNTS("{'destination':'/proc','type':'proc','source':'proc',"
			   "'options':['nosuid','noexec','nodev']},"
			   "{'destination':'/t','type':'tmpfs','source':'tmpfs','options':"
			   "['rw','size=65536k','mode=755','tmpcopyup','rprivate']},"
			   "{'destination':'/q','type':'mqueue'}"));
	assert_int_equal(p.c->n_mounts, 3);
	assert_int_equal(p.plan.n_shares, 0);
	m = &p.c->mounts[0];
	assert_string_equal(m->dest, "/proc");
	assert_string_equal(m->type, "proc");
	assert_string_equal(m->source, "proc");
	assert_null(m->data);
	assert_int_equal(m->ms_flags, MS_NOSUID | MS_NOEXEC | MS_NODEV);
	assert_int_equal(m->share, AP_NO_SHARE);
	assert_int_equal(m->flags, 0);
	assert_int_equal(m->n_propagation, 0);
	m = &p.c->mounts[1];
	assert_string_equal(m->data, "size=65536k,mode=755");
	assert_int_equal(m->flags, AP_M_TMPCOPYUP);
	assert_int_equal(m->ms_flags, 0);
	assert_int_equal(m->ms_clear, MS_RDONLY);
	assert_int_equal(m->n_propagation, 1);
	assert_int_equal(m->propagation[0], MS_PRIVATE | MS_REC);
	m = &p.c->mounts[2];
	assert_string_equal(m->source, "mqueue"); /* the type, when there is none */
	plan_done(&p);
}

static void cgroups_are_version_2(void **state)
{
	static const char *const types[] = {"cgroup", "cgroup2"};
	struct planned p;
	char text[256];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/sys/fs/cgroup','type':'%s','source':'c',"
				      "'options':['ro','nosuid','memory','xattr']}"),
			       types[i]);
		plan_of(&p, text);
		assert_string_equal(p.c->mounts[0].type, "cgroup2");
		assert_null(p.c->mounts[0].data); /* version 1's options mean nothing to it */
		assert_int_equal(p.c->mounts[0].ms_flags, MS_RDONLY | MS_NOSUID);
		plan_done(&p);
	}
}

static void recursive_attributes_arrive(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, MOUNTS("{'destination':'/t','type':'tmpfs','options':['rro','rsuid']}"));
	assert_int_equal(p.c->mounts[0].attr_set, MOUNT_ATTR_RDONLY);
	assert_int_equal(p.c->mounts[0].attr_clear, MOUNT_ATTR_NOSUID);
	plan_done(&p);
}

static void labels_are_stripped(void **state)
{
	/* \' becomes \", which is JSON for a quotation mark */
	static const struct {
		const char *options, *want;
	} table[] = {
		{"'size=1k','context=a:b:c:s0'", "size=1k"},
		{"'context=a:b:c:s0','size=1k'", "size=1k"},
		{"'fscontext=x','defcontext=x','rootcontext=x'", NULL},
		{"'context=x'", NULL},
		/* the comma in quotes belongs to the label */
		{"'size=1k','context=\\'u:r:t:s0:c1,c2\\'','mode=700'", "size=1k,mode=700"},
		{"'context=\\'u:r:t:s0:c1,c2\\''", NULL},
		{"'size=1k,context=\\'u:r:t:s0:c1,c2\\''", "size=1k"},
		{"'size=1k','context=\\'never closed,mode=1'", "size=1k"},
		/* others only look like one */
		{"'size=1k','path=/context=/x'", "size=1k,path=/context=/x"},
		{"'nocontext=1'", "nocontext=1"},
		{"'mode=700'", "mode=700"},
	};
	struct planned p;
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/t','type':'tmpfs','options':[%s]}"),
			       table[i].options);
		plan_of(&p, text);
		if (!table[i].want) {
			assert_null(p.c->mounts[0].data);
		} else {
			assert_non_null(p.c->mounts[0].data);
			assert_string_equal(p.c->mounts[0].data, table[i].want);
		}
		plan_done(&p);
	}
}

/* ---- shares ---- */

static void binds_become_numbered_shares(void **state)
{
	struct world *w = *state;
	struct planned p;
	const struct ap_mount *m;

	plan_in(&p, w,
		MOUNTS("{'destination':'/a','type':'bind','source':'@/dir','options':['rbind']},"
		       "{'destination':'/t','type':'tmpfs'},"
		       "{'destination':'/f','source':'@/file','options':['bind','ro','nosuid']}"));
	assert_int_equal(p.c->n_mounts, 3); /* in their order */
	assert_int_equal(p.plan.n_shares, 2);
	m = &p.c->mounts[0];
	assert_string_equal(m->dest, "/a");
	assert_string_equal(m->type, "bind");
	assert_int_equal(m->share, 0);
	assert_int_equal(m->flags, 0);
	assert_int_equal(m->ms_flags, MS_BIND | MS_REC);
	assert_int_equal(p.c->mounts[1].share, AP_NO_SHARE);
	m = &p.c->mounts[2];
	assert_int_equal(m->share, 1);
	assert_int_equal(m->flags, AP_M_FILE);
	assert_int_equal(m->ms_flags, MS_BIND | MS_RDONLY | MS_NOSUID);
	assert_string_equal(p.plan.shares[0].path + strlen(w->dir), "/dir");
	assert_int_equal(p.plan.shares[0].fd, -1);
	assert_int_equal(p.plan.shares[0].flags, SBX_SHARE_RECURSIVE);
	assert_string_equal(p.plan.shares[1].path + strlen(w->dir), "/file");
	assert_int_equal(p.plan.shares[1].flags, SBX_SHARE_RO);
	assert_string_equal(p.plan.binds[0].dest, "/a");
	assert_int_equal(p.plan.binds[0].share, 0);
	assert_string_equal(p.plan.binds[1].dest, "/f");
	assert_int_equal(p.plan.binds[1].share, 1);
	plan_done(&p);
}

static void the_type_alone_makes_a_bind(void **state)
{
	struct planned p;

	plan_in(&p, *state, MOUNTS("{'destination':'/a','type':'bind','source':'@/dir'}"));
	assert_int_equal(p.c->mounts[0].ms_flags, MS_BIND);
	assert_int_equal(p.plan.shares[0].flags, 0);
	plan_done(&p);
}

static void share_flags(void **state)
{
	static const struct {
		const char *options;
		unsigned flags;
	} table[] = {
		{"'bind'", 0},
		{"'bind','ro'", SBX_SHARE_RO},
		{"'bind','ro','rw'", 0},
		{"'rbind','rro'",
		 SBX_SHARE_RECURSIVE | SBX_SHARE_RO}, /* the host enforces it too */
		{"'bind','rro','rrw'", 0},
		{"'rbind','rslave'", SBX_SHARE_RECURSIVE | SBX_SHARE_SLAVE},
		{"'rbind','rshared'", SBX_SHARE_RECURSIVE | SBX_SHARE_SLAVE},
		{"'rbind','rprivate'", SBX_SHARE_RECURSIVE},
		{"'bind','slave'", SBX_SHARE_SLAVE},
	};
	struct planned p;
	char text[256];

	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/a','source':'@/dir','options':[%s]}"),
			       table[i].options);
		plan_in(&p, *state, text);
		if (p.plan.shares[0].flags != table[i].flags) {
			fail_msg("%s: %u", table[i].options, p.plan.shares[0].flags);
		}
		plan_done(&p);
	}
}

static void missing_sources_are_named(void **state)
{
	(void)state;
	plan_refused(MOUNTS("{'destination':'/t','type':'tmpfs'},"
			    "{'destination':'/a','type':'bind','source':'/no/such'}"),
		     ENOENT,
		     "config.json: mounts[1].source: '/no/such': No such file or directory");
}

static void id_mapped_mounts_need_mappings_and_a_bind(void **state)
{
	struct planned p;

	(void)state;
	plan_refused(MOUNTS("{'destination':'/a','source':'/','options':['bind','idmap']}"), EINVAL,
		     "config.json: mounts[0]: option 'idmap' needs mappings, of the mount or of a "
		     "user namespace");
	plan_refused("{'ociVersion':'1.2.0','root':{'path':'r'},'mounts':[{'destination':'/a',"
		     "'type':'tmpfs','source':'t','options':['ridmap']}],"
		     "'linux':{'namespaces':[{'type':'user','path':'/proc/self/ns/user'}]}}",
		     ENOTSUP, "config.json: mounts[0]: only bind mounts can be id-mapped");
	/* Mappings without the option mean the same. */
	plan_of(&p, MOUNTS("{'destination':'/a','source':'/','options':['bind'],"
			   "'uidMappings':[{'containerID':0,'hostID':1000,'size':10}],"
			   "'gidMappings':[{'containerID':0,'hostID':1000,'size':10}]}"));
	assert_int_equal(p.plan.n_shares, 1);
	assert_ptr_equal(p.plan.binds[0].mount, &p.spec->mounts.v[0]);
	assert_int_equal(p.plan.shares[0].idmap_fd, SBX_NO_IDMAP); /* until launch opens it */
	plan_done(&p);
}

/* ---- what stays on the host ---- */

static void kernel_file_systems_are_the_guests_own(void **state)
{
	static const struct {
		const char *source, *type;
	} table[] = {
		{"/proc", "proc"},
		{"/sys", "sysfs"},
		{"/sys/fs/cgroup", "cgroup2"},
	};
	struct planned p;
	struct statfs sf;
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		if (statfs(table[i].source, &sf) < 0 ||
		    (i == 2 && sf.f_type != CGROUP2_SUPER_MAGIC)) {
			continue; /* cgroup version 1 has a tmpfs above its hierarchies */
		}
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/x','type':'bind','source':'%s',"
				      "'options':['rbind','ro','rslave']}"),
			       table[i].source);
		plan_of(&p, text);
		assert_int_equal(p.plan.n_shares, 0);
		assert_string_equal(p.c->mounts[0].type, table[i].type);
		assert_string_equal(p.c->mounts[0].source, table[i].type);
		assert_int_equal(p.c->mounts[0].ms_flags, MS_RDONLY);
		assert_int_equal(p.c->mounts[0].share, AP_NO_SHARE);
		assert_int_equal(p.c->mounts[0].propagation[0], MS_SLAVE | MS_REC);
		plan_done(&p);
	}
}

static void parts_of_kernel_file_systems_are_the_guests_own(void **state)
{
	static const struct {
		const char *source;
		uint32_t flags;
	} table[] = {{"/proc/sys/kernel", 0}, {"/proc/version", AP_M_FILE}, {"/sys/kernel", 0}};
	struct planned p;
	struct stat st;
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		if (stat(table[i].source, &st) < 0) {
			continue; /* masked where this runs */
		}
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/x','type':'bind','source':'%s',"
				      "'options':['rbind','ro']}"),
			       table[i].source);
		plan_of(&p, text);
		assert_int_equal(p.plan.n_shares, 0);
		assert_string_equal(p.c->mounts[0].type, "bind");
		assert_string_equal(p.c->mounts[0].source, table[i].source);
		assert_int_equal(p.c->mounts[0].share, AP_NO_SHARE);
		assert_int_equal(p.c->mounts[0].flags, table[i].flags);
		assert_int_equal(p.c->mounts[0].ms_flags, MS_BIND | MS_REC | MS_RDONLY);
		plan_done(&p);
	}
}

static void overlays_are_shared_from_where_the_host_mounts_them(void **state)
{
	struct planned p;

	(void)state;
	plan_of(&p, MOUNTS("{'destination':'/x','type':'overlay','source':'overlay','options':["
			   "'lowerdir=/usr','upperdir=/tmp/up','workdir=/tmp/work','private']}"));
	assert_int_equal(p.plan.n_shares, 1);
	assert_string_equal(p.plan.shares[0].path, "/tmp/up");
	assert_string_equal(p.c->mounts[0].type, "bind");
	assert_int_equal(p.c->mounts[0].share, 0);
	assert_int_equal(p.c->mounts[0].ms_flags, MS_BIND);
	assert_null(p.c->mounts[0].data);
	plan_done(&p);
	plan_of(&p, MOUNTS("{'destination':'/x','type':'overlay','source':'overlay','options':["
			   "'lowerdir=/a\\\\:b:/c','ro']}"));
	assert_string_equal(p.plan.shares[0].path, "/a:b");
	assert_int_equal(p.plan.shares[0].flags, SBX_SHARE_RO);
	plan_done(&p);
	plan_refused(MOUNTS("{'destination':'/x','type':'overlay','options':['lowerdir=a']}"),
		     EINVAL,
		     "config.json: mounts: overlay on '/x': the options must name upperdir or "
		     "lowerdir as absolute paths");
}

static void virtual_device_nodes_are_the_guests_own(void **state)
{
	static const char *const nodes[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
	};
	struct planned p;
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(nodes); i++) {
		(void)snprintf(text, sizeof(text),
			       MOUNTS("{'destination':'/x','type':'bind','source':'%s',"
				      "'options':['bind','ro']}"),
			       nodes[i]);
		plan_of(&p, text);
		assert_int_equal(p.plan.n_shares, 0);
		assert_string_equal(p.c->mounts[0].type, "bind");
		assert_string_equal(p.c->mounts[0].source, nodes[i]);
		assert_int_equal(p.c->mounts[0].share, AP_NO_SHARE);
		assert_int_equal(p.c->mounts[0].flags, AP_M_FILE);
		assert_int_equal(p.c->mounts[0].ms_flags, MS_BIND | MS_RDONLY);
		plan_done(&p);
	}
}

static void other_device_nodes_are_refused(void **state)
{
	struct world *w = *state;
	char text[256], message[256];

	if (mknodat(w->tmp, "disk", S_IFBLK | 0600, makedev(8, 0)) < 0) {
		skip(); /* needs root */
	}
	(void)snprintf(text, sizeof(text),
		       MOUNTS("{'destination':'/x','type':'bind','source':'%s/disk'}"), w->dir);
	(void)snprintf(message, sizeof(message),
		       "config.json: mounts[0].source: '%s/disk' is a device of the host, which a "
		       "microVM has no access to",
		       w->dir);
	plan_refused(text, ENOTSUP, message);
}

static unsigned long long bytes_of(const char *path)
{
	struct statfs sf;

	assert_int_equal(statfs(path, &sf), 0);
	assert_true(sf.f_type == TMPFS_MAGIC);
	return (unsigned long long)sf.f_blocks * (unsigned long long)sf.f_bsize;
}

static void shared_memory_is_a_tmpfs_of_the_same_size(void **state)
{
	const struct ap_mount *m;
	struct planned p;
	struct statfs sf;
	char want[64];

	(void)state;
	if (statfs("/dev/shm", &sf) < 0 || sf.f_type != TMPFS_MAGIC) {
		skip(); /* not on this machine */
	}
	(void)snprintf(want, sizeof(want), "mode=1777,size=%llu", bytes_of("/dev/shm"));
	plan_of(&p, MOUNTS("{'destination':'/dev/shm','type':'bind','source':'/dev/shm',"
			   "'options':['rbind','rprivate','nosuid']}"));
	m = &p.c->mounts[0];
	assert_int_equal(p.plan.n_shares, 0);
	assert_string_equal(m->type, "tmpfs");
	assert_string_equal(m->data, want);
	assert_int_equal(m->ms_flags, MS_NOSUID);
	assert_int_equal(m->share, AP_NO_SHARE);
	plan_done(&p);
	/* The same source elsewhere is a volume. */
	plan_of(&p, MOUNTS("{'destination':'/x','type':'bind','source':'/dev/shm'}"));
	assert_int_equal(p.plan.n_shares, 1);
	plan_done(&p);
}

/* In a child: mount namespaces are not undone. */
static int shm_of_unlimited_size(const char *dir)
{
	struct planned p;
	char text[256];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=0") < 0) {
		return 77;
	}
	(void)snprintf(text, sizeof(text),
		       MOUNTS("{'destination':'/dev/shm','type':'bind','source':'%s'}"), dir);
	plan_of(&p, text);
	return p.c->mounts[0].data && strcmp(p.c->mounts[0].data, "mode=1777,size=0") == 0 ? 0 : 1;
}

static void shared_memory_may_be_unlimited(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(shm_of_unlimited_size(w->dir));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		skip(); /* needs root */
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_volume_at_dev_shm_stays_a_volume(void **state)
{
	struct world *w = *state;
	struct planned p;
	struct statfs sf;

	assert_int_equal(statfs(w->dir, &sf), 0);
	if (sf.f_type == TMPFS_MAGIC) {
		skip(); /* /tmp can't be told from what an engine makes */
	}
	plan_in(&p, w, MOUNTS("{'destination':'/dev/shm','type':'bind','source':'@/dir'}"));
	assert_int_equal(p.plan.n_shares, 1);
	assert_int_equal(p.c->mounts[0].share, 0);
	assert_string_equal(p.c->mounts[0].type, "bind");
	plan_done(&p);
}

static void the_guest_reads_the_same(void **state)
{
	struct ap_container *got = calloc(1, sizeof(*got));
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	uint8_t *frame = malloc(cap);
	struct planned p;
	long n;

	assert_non_null(got);
	assert_non_null(frame);
	plan_in(&p, *state,
		MOUNTS("{'destination':'/a','type':'bind','source':'@/dir',"
		       "'options':['rbind','rro','rslave']},"
		       "{'destination':'/t','type':'tmpfs','options':['size=4k','nosuid','rw']},"
		       "{'destination':'/n','type':'bind','source':'/dev/null'}"));
	n = ap_encode_create(p.c, 2, frame, cap);
	assert_true(n > 0);
	assert_int_equal(ap_decode_create(frame + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN, got),
			 0);
	assert_int_equal(got->n_mounts, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct ap_mount *a = &p.c->mounts[i], *b = &got->mounts[i];

		assert_string_equal(a->dest, b->dest);
		assert_string_equal(a->type, b->type);
		assert_string_equal(a->source ? a->source : "", b->source ? b->source : "");
		assert_string_equal(a->data ? a->data : "", b->data ? b->data : "");
		assert_int_equal(a->share, b->share);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->ms_flags, b->ms_flags);
		assert_int_equal(a->ms_clear, b->ms_clear);
		assert_int_equal(a->attr_set, b->attr_set);
		assert_int_equal(a->attr_clear, b->attr_clear);
		assert_int_equal(a->n_propagation, b->n_propagation);
		assert_int_equal(a->propagation[0], b->propagation[0]);
	}
	plan_done(&p);
	free(frame);
	free(got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_up, world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_file_systems_pass_through),
		cmocka_unit_test(cgroups_are_version_2),
		cmocka_unit_test(recursive_attributes_arrive),
		cmocka_unit_test(labels_are_stripped),
		TEST(binds_become_numbered_shares),
		TEST(the_type_alone_makes_a_bind),
		TEST(share_flags),
		cmocka_unit_test(missing_sources_are_named),
		cmocka_unit_test(id_mapped_mounts_need_mappings_and_a_bind),
		cmocka_unit_test(kernel_file_systems_are_the_guests_own),
		cmocka_unit_test(parts_of_kernel_file_systems_are_the_guests_own),
		cmocka_unit_test(overlays_are_shared_from_where_the_host_mounts_them),
		cmocka_unit_test(virtual_device_nodes_are_the_guests_own),
		TEST(other_device_nodes_are_refused),
		cmocka_unit_test(shared_memory_is_a_tmpfs_of_the_same_size),
		TEST(shared_memory_may_be_unlimited),
		TEST(a_volume_at_dev_shm_stays_a_volume),
		TEST(the_guest_reads_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
