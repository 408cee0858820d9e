/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak.c - callers that do random things to the same containers at once, and faults
 *
 * usage: soak VOLT-RUNC ROOT BUNDLE SHORT-BUNDLE WORK-DIR N SEED
 *        soak --judge WORK-DIR/said.bin
 *
 * BUNDLE's process lives until SIGTERM, SHORT-BUNDLE's exits with 7 at once. Four callers go on
 * until N containers were made; then all are deleted. The order of what each wants to do depends on
 * SEED alone. Every answer is judged when all is over: whether it has the form it must have, and
 * whether all answers about a container can be true at once (model.h). Exit status 0: they can. What
 * was said is left in WORK-DIR, to be judged again after a change of the model.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define CALLERS	     4u
#define LAST_CALLER  CALLERS /* the main thread: it deletes */
#define IDS	     5u
#define STUCK_NS     45000000000u
#define FAULT_END_MS 60000
#define LONG_HOLD_NS 20000000000u
#define RECORDS_MAX  (1u << 20)
#define PAUSE_NS     20000000

_Static_assert(LAST_CALLER < MODEL_CALLERS, "too many callers for the model");

static const char *volt, *root, *bundle, *short_bundle, *work;
static unsigned long wanted;
static uint64_t seed;
static atomic_ulong made, calls;
static atomic_bool stopping;
static atomic_uint callers_left = CALLERS;
static _Atomic uint64_t last_answer;
static atomic_ulong bad;

/* Records, one list for each container; the ids' names are "s0", "s1", ... */
static struct {
	pthread_mutex_t lock;
	struct record *v;
	size_t n;
	size_t cap;
} lists[IDS];

static void complain(const char *what, const struct record *r, unsigned id)
{
	atomic_fetch_add(&bad, 1);
	printf("BAD: caller %u: %s s%u: %s (status %d, \"%s\")\n", r->op.caller,
	       judge_verb(r->verb), id, what, r->status, r->text);
	(void)fflush(stdout);
}

static void keep(unsigned id, const struct record *r)
{
	(void)pthread_mutex_lock(&lists[id].lock);
	if (lists[id].n == lists[id].cap && lists[id].cap < RECORDS_MAX) {
		lists[id].cap = lists[id].cap ? 2 * lists[id].cap : 64;
		lists[id].v = realloc(lists[id].v, lists[id].cap * sizeof(*lists[id].v));
		if (!lists[id].v) {
			abort();
		}
	}
	lists[id].v[lists[id].n++] = *r;
	(void)pthread_mutex_unlock(&lists[id].lock);
	atomic_store(&last_answer, call_now());
}

/* --- random numbers -------------------------------------------------------------------------- */

struct caller {
	unsigned number;
	uint64_t random;
};

static uint64_t next(struct caller *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return c->random * 0x2545f4914f6cdd1du;
}

static unsigned below(struct caller *c, unsigned n)
{
	return (unsigned)(next(c) >> 33) % n;
}

/* --- what an answer looks like --------------------------------------------------------------- */

static void cut(char *dst, size_t cap, const char *src)
{
	(void)snprintf(dst, cap, "%.*s", (int)strcspn(src, "\n") + (src[0] != '\0'), src);
}

/* The value of "key" in @json, which is one object of ours. */
static bool member(const char *json, const char *key, char *dst, size_t cap)
{
	char name[40];
	const char *at;
	size_t n = 0;

	(void)snprintf(name, sizeof(name), "\"%s\":", key);
	at = strstr(json, name);
	if (!at) {
		return false;
	}
	for (at += strlen(name); *at == ' '; at++) {
	}
	if (*at++ != '"') {
		return false;
	}
	for (; *at != '\0' && *at != '"' && n + 1 < cap; at++) {
		at += *at == '\\' && at[1] != '\0';
		dst[n++] = *at;
	}
	dst[n] = '\0';
	return *at == '"';
}

/* A failure is told by exactly one object in the log, a success by none. */
static const char *check_log(const struct answer *a, char *text, size_t cap)
{
	const char *end = strchr(a->log, '\n');
	char level[16];

	text[0] = '\0';
	if (a->log[0] == '\0') {
		return NULL;
	}
	if (!end || end[1] != '\0' || a->log[0] != '{' || end[-1] != '}') {
		cut(text, cap, a->log);
		return "the log must have one object";
	}
	if (!member(a->log, "level", level, sizeof(level)) || strcmp(level, "error") != 0 ||
	    !member(a->log, "msg", text, cap)) {
		return "the log's object must have a level and a message";
	}
	return NULL;
}

static bool runs_a_process(enum verb verb)
{
	return verb == V_RUN || verb == V_EXEC;
}

/* --- one call -------------------------------------------------------------------------------- */

static const char *id_name(unsigned id)
{
	static const char *const ids[IDS] = {"s0", "s1", "s2", "s3", "s4"};

	return ids[id];
}

static struct record call(unsigned caller, enum verb verb, unsigned id, int kill_ms, struct call *c,
			  struct answer *a)
{
	struct record r = {.verb = verb, .op = {.caller = caller}};
	const char *wrong;

	c->volt = volt;
	c->root = root;
	c->work = work;
	c->caller = caller;
	c->kill_ms = kill_ms;
	if (call_run(c, a) < 0) {
		perror("soak: start a process");
		exit(2);
	}
	r.op.begin = a->begin;
	r.op.end = a->end;
	r.status = a->status;
	r.killed = a->status == -1 && kill_ms > 0;
	wrong = r.killed ? NULL : check_log(a, r.text, sizeof(r.text));
	if (!wrong && !r.killed && (r.status == 0) != (r.text[0] == '\0') &&
	    !runs_a_process(verb)) {
		wrong = "status and log don't fit";
	}
	if (wrong) {
		complain(wrong, &r, id);
	}
	atomic_fetch_add(&calls, 1);
	return r;
}

static void state(unsigned caller, unsigned id)
{
	struct call c = {.args = {"state", id_name(id)}};
	struct answer a;
	struct record r = call(caller, V_STATE, id, 0, &c, &a);

	if (r.status == 0 && !member(a.out, "status", r.text, sizeof(r.text))) {
		complain("state without a status", &r, id);
		return;
	}
	keep(id, &r);
}

static void list(unsigned caller)
{
	struct call c = {.args = {"list", "--format=json"}};
	struct answer a;
	struct record r = call(caller, V_LIST, 0, 0, &c, &a);
	char name[24];
	char none[4];
	char *at;
	char *end;

	for (unsigned id = 0; r.status == 0 && id < IDS; id++) {
		struct record one = r;

		(void)snprintf(name, sizeof(name), "\"id\":\"%s\"", id_name(id));
		at = strstr(a.out, name);
		end = at ? strchr(at, '}') : NULL; /* of the annotations: status comes before */
		if (end) {
			*end = '\0';
		}
		if (!at) {
			(void)snprintf(one.text, sizeof(one.text), "-");
		} else if (!member(at, "status", one.text, sizeof(one.text))) {
			complain("list without a status", &one, id);
			continue;
		} else if (member(at, "bundle", none, sizeof(none)) && none[0] == '\0') {
			(void)snprintf(one.text, sizeof(one.text), "stateless");
		}
		if (end) {
			*end = '}';
		}
		keep(id, &one);
	}
	if (r.status != 0) {
		complain("list has failed", &r, 0);
	}
}

static void create(struct caller *me, enum verb verb, unsigned id)
{
	struct call c = {.silent = true};
	/* Anywhere in it; in an emulated machine it takes ten seconds. */
	int kill_ms = verb == V_CREATE && below(me, 8) == 0
			      ? 1 + (int)below(me, below(me, 2) ? 12000 : 1500)
			      : 0;
	struct answer a;
	struct record r;
	unsigned n = 0;

	c.args[n++] = verb == V_CREATE ? "create" : "run";
	if (verb == V_RUN_D) {
		c.args[n++] = "--detach";
	}
	c.args[n++] = "--bundle";
	c.args[n++] = verb == V_RUN ? short_bundle : bundle;
	c.args[n++] = id_name(id);
	r = call(me->number, verb, id, kill_ms, &c, &a);
	if (r.status == (verb == V_RUN ? RUN_STATUS : 0)) {
		atomic_fetch_add(&made, 1);
	}
	keep(id, &r);
}

static void exec_hi(struct caller *me, unsigned id)
{
	struct call c = {.args = {"exec", id_name(id), "echo", "hi"}};
	int kill_ms = below(me, 8) == 0 ? 1 + (int)below(me, 2000) : 0;
	struct answer a;
	struct record r = call(me->number, V_EXEC, id, kill_ms, &c, &a);

	if (r.status == 0) {
		(void)snprintf(r.text, sizeof(r.text), "%.20s", a.out);
	}
	keep(id, &r);
}

static void send_signal(struct caller *me, unsigned id)
{
	static const struct {
		int signo;
		const char *name;
	} signals[] = {{SIGKILL, "KILL"}, {SIGTERM, "15"}, {0, "0"}, {SIGWINCH, "SIGWINCH"}};
	unsigned i = below(me, 4);
	struct call c = {.args = {"kill", id_name(id), signals[i].name}};
	struct answer a;
	struct record r = call(me->number, V_KILL, id, 0, &c, &a);

	r.signo = signals[i].signo;
	keep(id, &r);
}

static void simple(unsigned caller, enum verb verb, unsigned id, const char *name,
		   const char *option)
{
	struct call c = {.args = {name}};
	struct answer a;
	struct record r;
	unsigned n = 1;

	if (option) {
		c.args[n++] = option;
	}
	c.args[n] = id_name(id);
	r = call(caller, verb, id, 0, &c, &a);
	keep(id, &r);
}

/* --- faults ---------------------------------------------------------------------------------- */

/* A pidfd of the process with exactly this title, -1 if there is none. */
static int find_role(const char *title)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	char path[300];
	char text[128];
	int found = -1;

	while (proc && found < 0 && (de = readdir(proc))) {
		int pidfd, fd;
		ssize_t n;

		if (de->d_name[0] < '1' || de->d_name[0] > '9') {
			continue;
		}
		pidfd = (int)syscall(SYS_pidfd_open, atoi(de->d_name), 0);
		(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", de->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (pidfd >= 0 && strcmp(text, title) == 0) {
			found = pidfd;
		} else if (pidfd >= 0) {
			(void)close(pidfd);
		}
		if (fd >= 0) {
			(void)close(fd);
		}
	}
	if (proc) {
		(void)closedir(proc);
	}
	return found;
}

static bool wait_end(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return pidfd < 0 || poll(&p, 1, FAULT_END_MS) > 0;
}

static bool is_there(const char *title)
{
	int pidfd = find_role(title);

	if (pidfd >= 0) {
		(void)close(pidfd);
	}
	return pidfd >= 0;
}

/* kill -9 of one role: the others must follow. An exec's shim (which 3) takes only itself along. */
static void fault(struct caller *me, unsigned id)
{
	static const char *const names[] = {"shim", "vmm", "fs", "shim"};
	struct record r = {.verb = V_FAULT, .op = {.caller = me->number, .begin = call_now()}};
	unsigned which = below(me, 4);
	char titles[4][64];
	int roles[4];

	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(titles[i], sizeof(titles[i]), "volt-%s: %s%s", names[i], id_name(id),
			       i == 3 ? " (exec)" : "");
		roles[i] = i < 3 || which == 3 ? find_role(titles[i]) : -1;
	}
	if (roles[which] >= 0) {
		(void)syscall(SYS_pidfd_send_signal, roles[which], SIGKILL, NULL, 0);
		(void)snprintf(r.text, sizeof(r.text), "%s", titles[which]);
		for (unsigned i = which == 3 ? 3 : 0; i < 4; i++) {
			/* unless they were a new container's by then */
			if (!wait_end(roles[i]) && !is_there(titles[which])) {
				complain("a role outlives another one's death", &r, id);
			}
		}
		r.killed = which == 3;
		r.op.end = call_now();
		keep(id, &r);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (roles[i] >= 0) {
			(void)close(roles[i]);
		}
	}
}

/* --- callers --------------------------------------------------------------------------------- */

static void do_something(struct caller *me)
{
	unsigned id = below(me, IDS);
	unsigned n = me->number;

	switch (below(me, 32)) {
	case 0 ... 5:
		create(me, V_CREATE, id);
		break;
	case 6 ... 7:
		create(me, V_RUN_D, id);
		break;
	case 8:
		create(me, V_RUN, id);
		break;
	case 9 ... 12:
		simple(n, V_START, id, "start", NULL);
		break;
	case 13 ... 14:
		state(n, id);
		break;
	case 15 ... 17:
		exec_hi(me, id);
		break;
	case 18 ... 19:
		send_signal(me, id);
		break;
	case 20:
		simple(n, V_PAUSE, id, "pause", NULL);
		break;
	case 21 ... 22:
		simple(n, V_RESUME, id, "resume", NULL);
		break;
	case 23:
		simple(n, V_UPDATE, id, "update", "--pids-limit=200");
		break;
	case 24:
		list(n);
		break;
	case 25:
		simple(n, V_PS, id, "ps", "--format=json");
		break;
	case 26:
		simple(n, V_EVENTS, id, "events", "--stats");
		break;
	case 27 ... 28:
		simple(n, V_DELETE, id, "delete", NULL);
		break;
	case 29:
		simple(n, V_DELETE_F, id, "delete", "--force");
		break;
	default:
		fault(me, id);
		break;
	}
}

static void *caller_main(void *arg)
{
	struct caller *me = arg;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (!atomic_load(&stopping) && atomic_load(&made) < wanted) {
		do_something(me);
		(void)nanosleep(&pause, NULL); /* the machine shall not only look for containers */
	}
	atomic_fetch_sub(&callers_left, 1);
	return NULL;
}

static void delete_all(void)
{
	for (unsigned id = 0; id < IDS; id++) {
		simple(LAST_CALLER, V_DELETE_F, id, "delete", "--force");
	}
}

/*
 * Callers may wait for each other, all in execs in paused containers: nobody would go on. So
 * somebody deletes everything when nothing has been answered for a while, and at the end.
 */
static void watch_callers(pthread_t *threads)
{
	while (atomic_load(&callers_left) > 0) {
		(void)poll(NULL, 0, 200);
		if (atomic_load(&made) >= wanted ||
		    call_now() - atomic_load(&last_answer) > STUCK_NS) {
			delete_all();
		}
	}
	for (unsigned i = 0; i < CALLERS; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	delete_all();
}

/* --- the end --------------------------------------------------------------------------------- */

static bool overlap(const struct record *a, const struct record *b)
{
	return a != b && a->op.begin <= b->op.end && b->op.begin <= a->op.end;
}

static struct around look_around(unsigned id, const struct record *r)
{
	struct around around = {0};

	for (size_t i = 0; i < lists[id].n; i++) {
		const struct record *o = &lists[id].v[i];

		if (!overlap(r, o)) {
			continue;
		}
		around.fault |= o->verb == V_FAULT;
		around.changing |= o->verb == V_CREATE || o->verb == V_RUN || o->verb == V_RUN_D ||
				   o->verb == V_DELETE || o->verb == V_DELETE_F;
		around.long_hold |= o->op.end - o->op.begin > LONG_HOLD_NS;
	}
	return around;
}

static void show(unsigned id, size_t last)
{
	size_t shown = 0;

	for (size_t i = 0; i < lists[id].n; i++) {
		const struct record *r = &lists[id].v[i];

		/* what is near enough to explain it */
		if (r->op.end + 60000000000u < lists[id].v[last].op.begin ||
		    r->op.begin > lists[id].v[last].op.end) {
			continue;
		}
		printf("  %s[%.3f %.3f] caller %u: %s: %d%s \"%s\"\n", i == last ? "> " : "  ",
		       (double)r->op.begin / 1e9, (double)r->op.end / 1e9, r->op.caller,
		       judge_verb(r->verb), r->status, r->killed ? " killed" : "", r->text);
		shown++;
	}
	printf("  (%zu of %zu)\n", shown, lists[id].n);
}

static void judge_all(unsigned id)
{
	struct mop *ops = calloc(lists[id].n + 1, sizeof(*ops));
	long rc;

	for (size_t i = 0; ops && i < lists[id].n; i++) {
		struct record *r = &lists[id].v[i];
		const struct around around = look_around(id, r);
		const char *wrong = judge(r, &around);

		if (wrong) {
			complain(wrong, r, id);
			show(id, i);
		}
		ops[i] = r->op;
	}
	rc = ops ? model_check(ops, lists[id].n) : -2;
	if (rc >= 0) {
		complain("can't be true together with all others", &lists[id].v[rc], id);
		show(id, (size_t)rc);
	} else if (rc == -2) {
		printf("BAD: out of memory\n");
		atomic_fetch_add(&bad, 1);
	}
	free(ops);
}

/* --- what was said, to be judged again ------------------------------------------------------- */

/* For the same program only: its structs as they are. */
static void write_down(void)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/said.bin", work); /* a cut name can't be opened */
	f = fopen(path, "we");
	for (unsigned id = 0; f && id < IDS; id++) {
		uint64_t n = lists[id].n;

		if (fwrite(&n, sizeof(n), 1, f) != 1 ||
		    fwrite(lists[id].v, sizeof(*lists[id].v), n, f) != n) {
			printf("soak: '%s' is incomplete\n", path);
			break;
		}
	}
	if (!f || fclose(f) != 0) {
		printf("soak: can't write '%s'\n", path);
	}
}

static bool recall_one(FILE *f, unsigned id)
{
	uint64_t n;

	if (fread(&n, sizeof(n), 1, f) != 1 || n > RECORDS_MAX) {
		return false;
	}
	lists[id].v = calloc(n + 1, sizeof(*lists[id].v));
	lists[id].n = n;
	return lists[id].v && fread(lists[id].v, sizeof(*lists[id].v), n, f) == n;
}

static bool recall(const char *path)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL;

	for (unsigned id = 0; ok && id < IDS; id++) {
		ok = recall_one(f, id);
	}
	if (f) {
		(void)fclose(f);
	}
	return ok;
}

static int judge_everything(void)
{
	for (unsigned id = 0; id < IDS; id++) {
		judge_all(id);
	}
	return atomic_load(&bad) == 0 ? 0 : 1;
}

static void statistics(void)
{
	unsigned long good[V_COUNT] = {0};
	unsigned long all[V_COUNT] = {0};

	for (unsigned id = 0; id < IDS; id++) {
		for (size_t i = 0; i < lists[id].n; i++) {
			const struct record *r = &lists[id].v[i];

			all[r->verb]++;
			good[r->verb] +=
				r->status == (r->verb == V_RUN ? RUN_STATUS : 0) && !r->killed;
		}
	}
	printf("done (of tried):");
	for (unsigned v = 0; v < V_COUNT; v++) {
		printf(" %s %lu (%lu)", judge_verb((enum verb)v), good[v], all[v]);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	struct caller callers[CALLERS];
	pthread_t threads[CALLERS];
	int rc;

	if (argc == 3 && strcmp(argv[1], "--judge") == 0) {
		return recall(argv[2]) ? judge_everything() : 2;
	}
	if (argc != 8) {
		fprintf(stderr, "usage: soak VOLT-RUNC ROOT BUNDLE SHORT-BUNDLE WORK-DIR N SEED\n"
				"       soak --judge WORK-DIR/said.bin\n");
		return 2;
	}
	volt = argv[1];
	root = argv[2];
	bundle = argv[3];
	short_bundle = argv[4];
	work = argv[5];
	wanted = strtoul(argv[6], NULL, 10);
	seed = strtoull(argv[7], NULL, 0);
	printf("soak: %lu containers, seed %llu\n", wanted, (unsigned long long)seed);
	(void)fflush(stdout);
	atomic_store(&last_answer, call_now());
	for (unsigned id = 0; id < IDS; id++) {
		(void)pthread_mutex_init(&lists[id].lock, NULL);
	}
	for (unsigned i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){
			.number = i, .random = (seed * CALLERS + i + 1) * 0x9e3779b97f4a7c15u};
		if (pthread_create(&threads[i], NULL, caller_main, &callers[i]) != 0) {
			return 2;
		}
	}
	watch_callers(threads);
	write_down();
	rc = judge_everything();
	statistics();
	printf("soak: %lu containers, %lu calls, %lu bad\n", atomic_load(&made),
	       atomic_load(&calls), atomic_load(&bad));
	return rc;
}
