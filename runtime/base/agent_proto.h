/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_proto.h - the messages between the vmm and the guest agent
 *
 * One control connection (guest -> host CID 2, AP_PORT_CONTROL) carries frames:
 *
 *     u32 payload_len, u16 type, u16 zero, u32 id        then payload_len bytes
 *
 * A payload is a list of TLVs {u16 tag, u16 zero, u32 len, value}. Everything is
 * little-endian. In one list the tags ascend strictly; only a tag documented as
 * a list may follow itself. Unknown tags, missing mandatory ones, wrong lengths
 * and bytes left over are refused with -EPROTO, never skipped: a new field means
 * a new AP_VERSION. docs/PROTOCOL-agent.md has the tables.
 *
 * Decoders borrow: strings and blobs in the decoded structs point into the
 * payload and live as long as it does. Strings are NUL-terminated there, with no
 * NUL inside. An absent optional string is NULL.
 *
 * Trust:   both sides distrust the other: every count, length and enum is checked
 *          by the decoder, so a decoded struct needs no further bounds checks.
 *          Meaning (paths, ids, flags) is checked by whoever uses it.
 * Threads: pure functions.
 * Uses:    bytes. Used by: the vmm's agent client, the guest agent. No malloc.
 */
#ifndef BASE_AGENT_PROTO_H
#define BASE_AGENT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AP_VERSION	7u
#define AP_HEADER_LEN	12u
#define AP_FRAME_MAX	(1024u * 1024u) /* payload bytes, the header not counted */
#define AP_PORT_CONTROL 1024u

/*
 * Questions for a name server of the host and its answers: messages of DNS, each after its length
 * in two bytes, big-endian (as over TCP: RFC 1035, 4.2.2). Ids are the agent's. What can't be
 * delivered is dropped, as datagrams are.
 */
#define AP_PORT_DNS 1025u
#define AP_DNS_MIN  12u /* a header */
#define AP_DNS_MAX  16384u

#define AP_PROC_ID_MAX 0xffffffu

/*
 * Stream s (0 stdin, 1 stdout, 2 stderr, then passed descriptors) of a process connects to its
 * ap_process.port + s; a terminal has one connection, both ways, on stream 0. The number is a secret between host and
 * agent: whoever else in the guest can open vsock connections can't guess it.
 */
#define AP_PORT_STDIO_MIN 0x40000000u
#define AP_PORT_STDIO(bits)                                                                        \
	(AP_PORT_STDIO_MIN | ((uint32_t)(bits)&0x3ffffff0u)) /* of random bits */

#define AP_STREAMS 16u /* ports from one multiple of it to the next */

/* Hard limits. An encoder refuses more with -E2BIG, a decoder with -EPROTO. */
#define AP_MAX_PROCS	   128u	  /* processes alive at once: init and execs */
#define AP_MAX_STRINGS	   32768u /* strings in one vector */
#define AP_MAX_FDS	   (AP_STREAMS - 3u)
#define AP_MAX_ACCEPTED	   256u /* connections at once that came by listening sockets */
#define AP_MAX_GIDS	   1024u
#define AP_MAX_RLIMITS	   16u
#define AP_MAX_MOUNTS	   512u
#define AP_MAX_DEVICES	   256u
#define AP_MAX_SYSCTLS	   128u
#define AP_MAX_NET_SYSCTLS 320u
#define AP_MAX_UNIFIED	   64u
#define AP_MAX_IDMAPS	   340u /* the kernel's own limit */
#define AP_MAX_HOOKS	   32u
#define AP_MAX_IO	   16u
#define AP_MAX_SECCOMP	   4096u /* BPF instructions, 8 bytes each */
#define AP_MAX_PS	   1024u
#define AP_MAX_PROPAGATION 4u
#define AP_SEED_LEN	   64u
#define AP_MAX_LINKS	   8u
#define AP_MAX_ADDRS	   128u
#define AP_MAX_ROUTES	   256u
#define AP_MAX_NEIGHS	   128u
#define AP_MAX_RULES	   64u
#define AP_MAX_METRICS	   17u /* RTAX_MAX of Linux 6.12 */
#define AP_NET_NAME_MAX	   15u /* IFNAMSIZ without its NUL */
#define AP_MEMBERS_MAX	   4u  /* members at once, numbered from 1 */

/* Frame types. Requests come from the host, the rest from the guest. */
enum ap_type {
	AP_MSG_CONFIGURE = 0x01,
	AP_MSG_CREATE = 0x02,
	AP_MSG_START = 0x03,
	AP_MSG_EXEC = 0x04,
	AP_MSG_SIGNAL = 0x05,
	AP_MSG_RESIZE = 0x06,
	AP_MSG_STATS = 0x07,
	AP_MSG_PS = 0x08,
	AP_MSG_FREEZE = 0x09,
	AP_MSG_THAW = 0x0a,
	AP_MSG_UPDATE = 0x0b,
	AP_MSG_SHUTDOWN = 0x0c,
	AP_MSG_NET = 0x0d,
	AP_MSG_ACCEPT = 0x0e,
	AP_MSG_JOIN = 0x0f,
	AP_MSG_HELLO = 0x81,  /* first frame of the connection; id 0 */
	AP_MSG_REPLY = 0x82,  /* id of the request it answers; one for each request */
	AP_MSG_EXIT = 0x83,   /* id 0 */
	AP_MSG_NOTIFY = 0x84, /* id 0 */
	AP_MSG_LEFT = 0x85    /* id 0 */
};

/** struct ap_header - a frame's first AP_HEADER_LEN bytes */
struct ap_header {
	uint32_t len;  /* payload bytes that follow, <= AP_FRAME_MAX */
	uint16_t type; /* one of enum ap_type */
	uint32_t id;   /* chosen by the host, echoed in the reply; 0 for events */
};

/**
 * struct ap_strv - a vector of strings
 * @count: number of strings
 * @vec:   encode: array of @count strings, used when not NULL. Decode: NULL
 * @blob:  decode (and encode without @vec): the strings one after the other, each with its NUL
 * @len:   bytes in @blob
 */
struct ap_strv {
	uint32_t count;
	const char *const *vec;
	const char *blob;
	uint32_t len;
};

/** ap_strv_next() - string after @prev (NULL: the first) in a decoded vector; NULL at the end */
const char *ap_strv_next(const struct ap_strv *v, const char *prev);

struct ap_kv {
	const char *key;
	const char *value;
};

/* --- guest -> host ------------------------------------------------------------------------ */

/* Boot timestamps: guest CLOCK_BOOTTIME in ns (0 is the kernel's start of time-keeping) */
enum ap_stamp {
	AP_STAMP_AGENT,	 /* first line of the agent's main */
	AP_STAMP_MOUNTS, /* its own mounts are done */
	AP_STAMP_HELLO,	 /* hello is about to be sent */
	AP_STAMP_COUNT
};

#define AP_FEAT_SHARE	(1u << 0) /* the virtio-fs tag was there and is mounted */
#define AP_FEAT_CGROUP	(1u << 1)
#define AP_FEAT_SECCOMP (1u << 2)
#define AP_FEAT_USERNS	(1u << 3)
#define AP_FEAT_TIMENS	(1u << 4)
#define AP_FEAT_ALL	0x1fu

struct ap_hello {
	uint32_t version;   /* AP_VERSION */
	uint32_t features;  /* AP_FEAT_* */
	uint32_t n_cpus;    /* online when hello was sent */
	uint64_t mem_total; /* bytes the guest kernel manages */
	uint64_t stamp_ns[AP_STAMP_COUNT];
	const char *release; /* uname -r */
};

/* Why a request failed: what the host may tell its caller by. */
enum ap_fail {
	AP_FAIL_NONE,  /* it did not fail */
	AP_FAIL_SETUP, /* a step of the set-up failed; @stage, @text and @code say which and why */
	AP_FAIL_NOT_FOUND,  /* the executable (or its interpreter) does not exist: callers' 127 */
	AP_FAIL_PERMISSION, /* the executable may not be executed: callers' 126 */
	AP_FAIL_STATE,	    /* not permitted in the container's present state */
	AP_FAIL_NO_PROCESS, /* no such process (any more) */
	AP_FAIL_LIMIT,	    /* a limit of the agent */
	AP_FAIL_PROTOCOL,   /* the request itself was malformed */
	AP_FAIL_COUNT
};

/**
 * struct ap_reply - the answer to one request
 * @code:    0, or a positive errno
 * @fail:    enum ap_fail; AP_FAIL_NONE exactly when @code is 0
 * @pid:     CREATE, EXEC: pid in the container's pid namespace as the agent knows it, else 0
 * @t_ns:    guest CLOCK_BOOTTIME when the work was done (START, EXEC: execve succeeded)
 * @stage:   optional: short name of the step that failed ("mount", "exec", ...)
 * @text:    optional: full sentence without trailing period, in runc's words where callers match
 *           them: `exec: "x": executable file not found in $PATH`
 * @body:    optional: STATS -> ap_decode_stats(), PS -> ap_decode_ps()
 */
struct ap_reply {
	uint32_t code;
	uint32_t fail;
	uint32_t pid;
	uint64_t t_ns;
	const char *stage;
	const char *text;
	const uint8_t *body;
	uint32_t body_len;
};

/**
 * struct ap_exit - a process has ended and all it wrote has been sent
 * @proc:   process id (0 is the container's init: its exit ends the container)
 * @status: exit code 0..255; only meaningful when @signo is 0
 * @signo:  the signal that killed it, or 0
 * @oom:    killed by the guest's out-of-memory killer
 * @t_ns:   guest CLOCK_BOOTTIME
 */
struct ap_exit {
	uint32_t proc;
	uint32_t status;
	uint32_t signo;
	bool oom;
	uint64_t t_ns;
};

#define AP_NOTIFY_MAX  4096u		  /* bytes of a text */
#define AP_NOTIFY_PATH "/run/volt/notify" /* the agent's socket, as source of a bind */

/** struct ap_notify - sd_notify(3) from inside the container, see AP_C_NOTIFY; lines KEY=value */
struct ap_notify {
	const char *text;
};

/**
 * struct ap_left - a member's agent has ended
 * @number: of its ap_join
 * @status: 0: its processes are gone, its file system is unmounted and its device let go of, so that
 *          number and slot may be used again. Else, at most 255, it came to a bad end: what it exited
 *          with, or 128 and the signal
 */
struct ap_left {
	uint32_t number;
	uint32_t status;
};

enum ap_stat {
	AP_STAT_MEM_CURRENT,
	AP_STAT_MEM_PEAK,
	AP_STAT_MEM_MAX, /* AP_STAT_NONE when unlimited */
	AP_STAT_SWAP_CURRENT,
	AP_STAT_SWAP_MAX,
	AP_STAT_MEM_OOM,
	AP_STAT_MEM_OOM_KILL,
	AP_STAT_CPU_USAGE_US,
	AP_STAT_CPU_USER_US,
	AP_STAT_CPU_SYSTEM_US,
	AP_STAT_CPU_PERIODS,
	AP_STAT_CPU_THROTTLED,
	AP_STAT_CPU_THROTTLED_US,
	AP_STAT_PIDS_CURRENT,
	AP_STAT_PIDS_MAX,
	AP_STAT_IO_RBYTES,
	AP_STAT_IO_WBYTES,
	AP_STAT_IO_RIOS,
	AP_STAT_IO_WIOS,
	AP_STAT_COUNT
};
#define AP_STAT_NONE UINT64_MAX

/** struct ap_stats - figures of the container's cgroup; AP_STAT_NONE where there is none */
struct ap_stats {
	uint64_t v[AP_STAT_COUNT];
	const char *memory_stat; /* optional: memory.stat as it is */
};

struct ap_ps_entry {
	uint32_t pid; /* in the container's pid namespace */
	uint32_t ppid;
	uint32_t uid;
	uint64_t start_ns; /* guest CLOCK_BOOTTIME */
	const char *comm;
	const char *cmdline; /* arguments joined by spaces; may be empty */
};

/* --- host -> guest ------------------------------------------------------------------------ */

/**
 * struct ap_configure - what the guest can't know; first request, may be repeated (after resume)
 * @realtime_ns: wall clock, ns since 1970; 0: leave it
 * @has_seed:    @seed is credited to the guest's random pool, which is then reseeded
 * @hostname:    optional: of the guest itself (seen by a container without UTS namespace)
 */
struct ap_configure {
	uint64_t realtime_ns;
	bool has_seed;
	uint8_t seed[AP_SEED_LEN];
	const char *hostname;
};

enum ap_capset {
	AP_CAPS_BOUNDING,
	AP_CAPS_EFFECTIVE,
	AP_CAPS_INHERITABLE,
	AP_CAPS_PERMITTED,
	AP_CAPS_AMBIENT,
	AP_CAPS_COUNT
};

struct ap_rlimit {
	uint32_t resource; /* RLIMIT_* of the x86-64 Linux ABI, < 16 */
	uint64_t soft;	   /* UINT64_MAX: unlimited */
	uint64_t hard;
};

/* Which stdio streams have a connection; the others are the guest's /dev/null */
#define AP_STDIO_IN  (1u << 0)
#define AP_STDIO_OUT (1u << 1)
#define AP_STDIO_ERR (1u << 2)
#define AP_STDIO_ALL 7u

/** enum ap_fd - what a passed descriptor is in the guest, and which way its connection goes */
enum ap_fd {
	AP_FD_IN = 1,	/* a pipe to read from */
	AP_FD_OUT = 2,	/* a pipe to write to */
	AP_FD_BOTH = 3, /* a stream socket; each direction closes on its own */
	AP_FD_NULL = 8	/* /dev/null, the guest's; it has no connection */
};

/*
 * Or a listening stream socket, of family 0 (AF_UNIX), 4 or 6, at this port of the loopback interface.
 * Whoever connects to the one of the host is told of by AP_MSG_ACCEPT.
 */
#define AP_FD_LISTEN(family, port) (4u | (uint32_t)(family) << 4 | (uint32_t)(port) << 16)
#define AP_FD_IS_LISTEN(fd)	   (((fd)&4u) != 0)
#define AP_FD_FAMILY(fd)	   ((fd) >> 4 & 0xfu)
#define AP_FD_PORT(fd)		   ((uint16_t)((fd) >> 16))
/* abstract; the member's number (0: the first container), process id and stream number */
#define AP_FD_SOCKET_NAME "volt-listen-%u-%u-%u"

#define AP_P_TTY	     (1u << 0) /* terminal: @stdio is ignored, stream 0 is the terminal */
#define AP_P_NO_NEW_PRIVS    (1u << 1)
#define AP_P_HAS_CAPS	     (1u << 2) /* @caps is meant; else capabilities are as root's */
#define AP_P_HAS_UMASK	     (1u << 3)
#define AP_P_HAS_OOM	     (1u << 4)
#define AP_P_HAS_SCHED	     (1u << 5)
#define AP_P_HAS_IOPRIO	     (1u << 6)
#define AP_P_HAS_PERSONALITY (1u << 7)
#define AP_P_HAS_SECCOMP     (1u << 8)
#define AP_P_NO_KEYRING	     (1u << 9) /* don't join a new session keyring */
#define AP_P_ALL	     0x3ffu

/** struct ap_sched - sched_setattr(2)'s values */
struct ap_sched {
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns;
	uint64_t deadline_ns;
	uint64_t period_ns;
};

/**
 * struct ap_process - one process, exactly as config.json wants it
 * @flags:         AP_P_*
 * @stdio:         AP_STDIO_*
 * @args:          at least one
 * @env:           "NAME=value" each
 * @cwd:           absolute
 * @umask:         0..0777
 * @caps:          a bit per capability number, in the order of enum ap_capset
 * @oom_score_adj: -1000..1000
 * @cpus_initial, @cpus_final: affinity masks of guest CPUs, 0: unchanged
 * @seccomp:       struct sock_filter[], @n_seccomp instructions, host byte order (x86-64)
 * @seccomp_flags: SECCOMP_FILTER_FLAG_*
 * @rows, @cols:   initial window size of the terminal, 0 0: unset
 * @cgroup:        optional, of an exec: relative to the container's, beneath which it must be
 * @fds:           descriptors 3, 4, ... of the process, enum ap_fd or AP_FD_LISTEN() each; stream 3, 4, ...
 */
struct ap_process {
	uint32_t flags;
	uint32_t stdio;
	struct ap_strv args;
	struct ap_strv env;
	const char *cwd;
	uint32_t uid;
	uint32_t gid;
	uint32_t umask;
	uint32_t n_gids;
	uint32_t gids[AP_MAX_GIDS];
	uint64_t caps[AP_CAPS_COUNT];
	uint32_t n_rlimits;
	struct ap_rlimit rlimits[AP_MAX_RLIMITS];
	int32_t oom_score_adj;
	struct ap_sched sched;
	uint32_t ioprio; /* class << 13 | level */
	uint32_t personality;
	uint64_t cpus_initial;
	uint64_t cpus_final;
	const uint8_t *seccomp;
	uint32_t n_seccomp;
	uint32_t seccomp_flags;
	uint16_t rows;
	uint16_t cols;
	uint32_t port; /* of its streams: 0 for a process without, else from AP_PORT_STDIO() */
	uint32_t n_fds;
	uint32_t fds[AP_MAX_FDS];
	const char *cgroup;
};

#define AP_NO_SHARE 0xffffffffu
#define AP_DEV_DISK 0xffffffffu /* as the major number of a block device: the disk "volt-MINOR" */

#define AP_M_FILE      (1u << 0) /* the source is not a directory: make a missing target a file */
#define AP_M_TMPCOPYUP (1u << 1) /* tmpfs only: copy what the target holds into it */
#define AP_M_SYMLINK   (1u << 2) /* no mount: a symbolic link to the source */
#define AP_M_ALL       0x7u

/**
 * struct ap_mount - one entry of config.json's mounts, in its order
 * @dest:        absolute, inside the container
 * @type:        file system type; "bind" for binds
 * @source:      bind without share: a path in the agent's root; else what mount(2) calls source
 * @data:        optional: file-system options, comma-separated
 * @share:       bind: source is the share's mounts/@share; AP_NO_SHARE otherwise
 * @flags:       AP_M_*
 * @ms_flags:    MS_* (x86-64 Linux ABI) that are set, MS_BIND and MS_REC included
 * @ms_clear:    MS_* the configuration clears by name ("rw", "suid", ...)
 * @attr_set, @attr_clear: MOUNT_ATTR_* for the whole tree ("rro", "rnosuid", ...)
 * @propagation: MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, each perhaps with MS_REC; in order
 */
struct ap_mount {
	const char *dest;
	const char *type;
	const char *source;
	const char *data;
	uint32_t share;
	uint32_t flags;
	uint64_t ms_flags;
	uint64_t ms_clear;
	uint64_t attr_set;
	uint64_t attr_clear;
	uint32_t n_propagation;
	uint32_t propagation[AP_MAX_PROPAGATION];
};

/** struct ap_device - a node to make; @type 'c', 'b', 'p' */
struct ap_device {
	const char *path;
	uint32_t type;
	uint32_t major;
	uint32_t minor;
	uint32_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
};

struct ap_io_max {
	uint32_t major;
	uint32_t minor;
	uint64_t rbps; /* AP_STAT_NONE: no limit */
	uint64_t wbps;
	uint64_t riops;
	uint64_t wiops;
};

#define AP_UNSET    INT64_MIN /* a limit that is not mentioned */
#define AP_NO_LIMIT (-1)      /* a limit set to "max" */

/** struct ap_resources - cgroup v2 values; start from ap_resources_init() */
struct ap_resources {
	int64_t memory_max;	 /* bytes; AP_NO_LIMIT, AP_UNSET here and below */
	int64_t memory_swap_max; /* swap alone, as cgroup v2 counts it */
	int64_t memory_low;
	int64_t memory_high;
	int64_t cpu_quota_us;
	int64_t cpu_period_us;
	int64_t cpu_burst_us;
	int64_t cpu_weight; /* 1..10000 */
	int64_t cpu_idle;   /* 0, 1 */
	int64_t pids_max;
	int64_t io_weight; /* 1..10000 */
	const char *cpus;  /* optional list "0-3,5" */
	const char *mems;
	uint32_t n_io;
	struct ap_io_max io[AP_MAX_IO];
	uint32_t n_unified;
	struct ap_kv unified[AP_MAX_UNIFIED]; /* file name in the cgroup, value */
};

void ap_resources_init(struct ap_resources *r);

struct ap_idmap {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

/** struct ap_hook - a startContainer hook, run in the container just before the process */
struct ap_hook {
	const char *path;
	struct ap_strv args; /* may be empty: then argv[0] is @path */
	struct ap_strv env;
	uint32_t timeout_s; /* 0: none */
};

#define AP_C_READONLY_ROOT (1u << 0)
#define AP_C_HAS_PROCESS   (1u << 1) /* without: START is refused */
#define AP_C_TIME_OFFSETS  (1u << 2)
#define AP_C_NOTIFY	   (1u << 3) /* make the socket AP_NOTIFY_PATH before the mounts */
#define AP_C_ALL	   0xfu

/* Clone flags a container may ask for (x86-64 Linux ABI); the guest's network is the container's */
#define AP_NS_TIME   0x00000080u
#define AP_NS_MOUNT  0x00020000u
#define AP_NS_CGROUP 0x02000000u
#define AP_NS_UTS    0x04000000u
#define AP_NS_IPC    0x08000000u
#define AP_NS_USER   0x10000000u
#define AP_NS_PID    0x20000000u
#define AP_NS_ALL    0x3e020080u
#define AP_NS_JOINED (AP_NS_PID | AP_NS_IPC | AP_NS_UTS) /* those a member may share */

/**
 * struct ap_container - everything CREATE needs
 * @flags:        AP_C_*
 * @namespaces:   AP_NS_*; the mount namespace is new in any case
 * @joined:       of a member: those of @namespaces, of AP_NS_JOINED, that aren't new but the ones of
 *                the machine's first container; 0 for any other container
 * @rootfs:       optional: directory in the agent's root; default the share's rootfs/
 * @hostname, @domainname: optional; need AP_NS_UTS
 * @rootfs_propagation: MS_SHARED/SLAVE/PRIVATE/UNBINDABLE, with MS_REC; 0: MS_SLAVE | MS_REC
 * @net_sysctls: of the container's network on the host; what this kernel doesn't have or take is left out
 * @sysctls:     after those; what can't be written is an error
 * @monotonic_*, @boottime_*: time namespace offsets (AP_C_TIME_OFFSETS)
 * About 80 KiB: keep it static or on the heap.
 */
struct ap_container {
	uint32_t flags;
	uint32_t namespaces;
	uint32_t joined;
	const char *rootfs;
	const char *hostname;
	const char *domainname;
	uint32_t rootfs_propagation;
	int64_t monotonic_s;
	uint32_t monotonic_ns;
	int64_t boottime_s;
	uint32_t boottime_ns;
	uint32_t n_mounts;
	struct ap_mount mounts[AP_MAX_MOUNTS];
	struct ap_strv masked;
	struct ap_strv readonly;
	uint32_t n_devices;
	struct ap_device devices[AP_MAX_DEVICES];
	uint32_t n_sysctls;
	struct ap_kv sysctls[AP_MAX_SYSCTLS];
	uint32_t n_net_sysctls;
	struct ap_kv net_sysctls[AP_MAX_NET_SYSCTLS];
	struct ap_resources resources;
	uint32_t n_uidmaps;
	struct ap_idmap uidmaps[AP_MAX_IDMAPS];
	uint32_t n_gidmaps;
	struct ap_idmap gidmaps[AP_MAX_IDMAPS];
	uint32_t n_hooks;
	struct ap_hook hooks[AP_MAX_HOOKS];
	struct ap_process process;
};

/** ap_container_init() - zeros, and limits unset */
void ap_container_init(struct ap_container *c);

/** struct ap_start - @state: optional, the container's state as JSON, stdin of the hooks */
struct ap_start {
	const char *state;
};

/** struct ap_exec - @proc: chosen by the host, 1..AP_PROC_ID_MAX, not in use */
struct ap_exec {
	uint32_t proc;
	struct ap_process process;
};

/** struct ap_signal - @all: every process of the container (@proc is ignored) */
struct ap_signal {
	uint32_t proc;
	uint32_t signo; /* 1..64; 0 only asks whether the process exists */
	bool all;
};

/**
 * struct ap_accept - somebody has connected to a listening socket of the host
 * @proc:   whose it is
 * @stream: its number among the process's streams, from 3 on
 * @port:   where the agent connects to for it, from AP_PORT_STDIO()
 */
struct ap_accept {
	uint32_t proc;
	uint32_t stream;
	uint32_t port;
};

struct ap_resize {
	uint32_t proc;
	uint16_t rows;
	uint16_t cols;
};

/*
 * Further containers in the same machine: members. For each one the agent starts a second one of
 * itself, which has a control connection, a share and a cgroup of its own, and speaks as it does.
 */
#define AP_MEMBER_TAG_FMT "volt.%u" /* the virtio-fs tag of a member's share, by its number */

/**
 * struct ap_join - start an agent for a member
 * @number: 1..AP_MEMBERS_MAX, not in use
 * @slot:   below AP_MAX_LINKS, numbered as those of ap_link: where the device of its share is, just
 *          plugged in
 * @port:   its control connection's, from AP_PORT_STDIO(): a secret, too, as whoever connects there
 *          first is taken for the member
 */
struct ap_join {
	uint32_t number;
	uint32_t slot;
	uint32_t port;
};

/* The network: rtnetlink's values (x86-64 Linux ABI); addresses in network byte order */

#define AP_LINK_LO   0xffu /* the loopback interface, where a link is named by its number */
#define AP_LINK_NONE 0xfeu /* no link: routes that lead nowhere, rules for all */

#define AP_L_UP	     (1u << 0)
#define AP_L_NO_IPV6 (1u << 1) /* IPv6 is off on it */
#define AP_L_NO_RA   (1u << 2) /* router advertisements are not listened to */
#define AP_L_ALL     0x7u

/* The device of slot s is the s-th after this number of others (virtio-mmio.N in Linux). */
#define AP_DEVICE_NET 5u

/**
 * struct ap_link - an interface
 * @slot: below AP_MAX_LINKS, each one once: which network device it is; addresses and all the rest
 *        name a link by it
 * @name: 1..AP_NET_NAME_MAX bytes
 * @mac:  what the device has: another one means that the numbering is wrong
 */
struct ap_link {
	uint32_t slot;
	const char *name;
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t txqlen;
	uint32_t flags; /* AP_L_* */
};

/**
 * struct ap_addr - an address
 * @link:   slot of one of ap_net.links, or AP_LINK_LO
 * @family: 4 or 6; IPv4 addresses are the first four bytes
 * @peer:   the far end (prefix and @peer make the network), with AP_A_PEER
 * @flags:  AP_A_*
 */
#define AP_A_PEER	     (1u << 0)
#define AP_A_BROADCAST	     (1u << 1)
#define AP_A_NO_PREFIX_ROUTE (1u << 2) /* the address doesn't bring a route to its network */
#define AP_A_ALL	     0x7u
struct ap_addr {
	uint32_t link;
	uint32_t family;
	uint32_t prefix;
	uint32_t scope;
	uint32_t flags;
	uint8_t addr[16];
	uint8_t peer[16];
	uint8_t broadcast[16];
};

#define AP_R_GATEWAY (1u << 0)
#define AP_R_PREFSRC (1u << 1)
#define AP_R_SRC     (1u << 2) /* @src, @src_prefix */
#define AP_R_VIA6    (1u << 3) /* @gateway of an IPv4 route is an IPv6 address */
#define AP_R_ONLINK  (1u << 4) /* the gateway is on the link although no route says so */
#define AP_R_ALL     0x1fu

/** struct ap_route - a route, in the order to be added; @metrics[i] is RTAX number i + 1, 0: unset */
struct ap_route {
	uint32_t link;
	uint32_t family;
	uint32_t flags; /* AP_R_* */
	uint32_t type;
	uint32_t scope;
	uint32_t protocol;
	uint32_t table;
	uint32_t tos;
	uint32_t priority;
	uint32_t prefix;
	uint32_t src_prefix;
	uint8_t dst[16];
	uint8_t src[16];
	uint8_t gateway[16];
	uint8_t prefsrc[16];
	uint32_t n_metrics;
	uint32_t metrics[AP_MAX_METRICS];
};

/** struct ap_neigh - a permanent neighbour */
struct ap_neigh {
	uint32_t link;
	uint32_t family;
	uint8_t addr[16];
	uint8_t mac[6];
};

/** struct ap_rule - a policy rule; @in_link, @out_link: links or AP_LINK_NONE */
struct ap_rule {
	uint32_t family;
	uint32_t action; /* FR_ACT_* */
	uint32_t priority;
	uint32_t table;
	uint32_t goto_priority;
	uint32_t tos;
	uint32_t mark;
	uint32_t mark_mask; /* 0: the mark doesn't matter */
	uint32_t in_link;
	uint32_t out_link;
	uint32_t src_prefix;
	uint32_t dst_prefix;
	uint8_t src[16];
	uint8_t dst[16];
};

/**
 * struct ap_net - the container's interfaces and all that the engine configured on them
 *
 * All of them: what an earlier one had, and this one hasn't, is to go.
 *
 * @resolver: IPv4 address on the loopback interface where the agent is to answer questions to a name
 *            server, by asking at AP_PORT_DNS; zeros: none
 */
struct ap_net {
	uint32_t n_links;
	struct ap_link links[AP_MAX_LINKS];
	uint32_t n_addrs;
	struct ap_addr addrs[AP_MAX_ADDRS];
	uint32_t n_routes;
	struct ap_route routes[AP_MAX_ROUTES];
	uint32_t n_neighs;
	struct ap_neigh neighs[AP_MAX_NEIGHS];
	uint32_t n_rules;
	struct ap_rule rules[AP_MAX_RULES];
	uint8_t resolver[4];
};

/* --- frames ------------------------------------------------------------------------------- */

/**
 * ap_decode_header() - read a frame's header
 * Return: 0, -EPROTO (unknown type, the zero field is not, a request with id 0, an event with an
 * id), -EMSGSIZE (longer than AP_FRAME_MAX): drop the connection in any case.
 */
int ap_decode_header(const uint8_t hdr[AP_HEADER_LEN], struct ap_header *out)
	__attribute__((warn_unused_result));

/** ap_type_is_request() - may the host send it? */
bool ap_type_is_request(uint16_t type);
/** ap_type_name() - "create" ...; "unknown" */
const char *ap_type_name(uint16_t type);

/*
 * Encoders write one whole frame, header included, into @buf.
 * Return: bytes written (> 0), -EMSGSIZE (does not fit @cap or AP_FRAME_MAX), -E2BIG (a count is
 * over its limit), -EINVAL (a mandatory string is NULL).
 */
#define AP_ENCODER __attribute__((warn_unused_result))
/** ap_encode_payload() - a frame whose payload somebody else encoded */
AP_ENCODER long ap_encode_payload(uint16_t type, uint32_t id, const void *payload, size_t len,
				  void *buf, size_t cap);
/** ap_encode_empty() - frames without fields: STATS, PS, FREEZE, THAW, SHUTDOWN */
AP_ENCODER long ap_encode_empty(uint16_t type, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_configure(const struct ap_configure *m, uint32_t id, void *buf,
				    size_t cap);
AP_ENCODER long ap_encode_create(const struct ap_container *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_start(const struct ap_start *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_exec(const struct ap_exec *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_signal(const struct ap_signal *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_accept(const struct ap_accept *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_resize(const struct ap_resize *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_join(const struct ap_join *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_update(const struct ap_resources *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_net(const struct ap_net *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_hello(const struct ap_hello *m, void *buf, size_t cap);
AP_ENCODER long ap_encode_reply(const struct ap_reply *m, uint32_t id, void *buf, size_t cap);
AP_ENCODER long ap_encode_exit(const struct ap_exit *m, void *buf, size_t cap);
AP_ENCODER long ap_encode_notify(const struct ap_notify *m, void *buf, size_t cap);
AP_ENCODER long ap_encode_left(const struct ap_left *m, void *buf, size_t cap);
/* Bodies of replies: no frame header; hand them to ap_reply.body. */
AP_ENCODER long ap_encode_stats(const struct ap_stats *m, void *buf, size_t cap);
AP_ENCODER long ap_encode_ps(const struct ap_ps_entry *m, size_t n, void *buf, size_t cap);

/*
 * Decoders read a frame's payload (without header). Return: 0, or -EPROTO; on failure *out holds
 * no meaning. *out is initialised by the decoder.
 */
int ap_decode_empty(const void *p, size_t len) __attribute__((warn_unused_result));
int ap_decode_configure(const void *p, size_t len, struct ap_configure *out)
	__attribute__((warn_unused_result));
int ap_decode_create(const void *p, size_t len, struct ap_container *out)
	__attribute__((warn_unused_result));
int ap_decode_start(const void *p, size_t len, struct ap_start *out)
	__attribute__((warn_unused_result));
int ap_decode_exec(const void *p, size_t len, struct ap_exec *out)
	__attribute__((warn_unused_result));
int ap_decode_signal(const void *p, size_t len, struct ap_signal *out)
	__attribute__((warn_unused_result));
int ap_decode_accept(const void *p, size_t len, struct ap_accept *out)
	__attribute__((warn_unused_result));
int ap_decode_resize(const void *p, size_t len, struct ap_resize *out)
	__attribute__((warn_unused_result));
int ap_decode_join(const void *p, size_t len, struct ap_join *out)
	__attribute__((warn_unused_result));
int ap_decode_update(const void *p, size_t len, struct ap_resources *out)
	__attribute__((warn_unused_result));
int ap_decode_net(const void *p, size_t len, struct ap_net *out)
	__attribute__((warn_unused_result));
int ap_decode_hello(const void *p, size_t len, struct ap_hello *out)
	__attribute__((warn_unused_result));
int ap_decode_reply(const void *p, size_t len, struct ap_reply *out)
	__attribute__((warn_unused_result));
int ap_decode_exit(const void *p, size_t len, struct ap_exit *out)
	__attribute__((warn_unused_result));
int ap_decode_notify(const void *p, size_t len, struct ap_notify *out)
	__attribute__((warn_unused_result));
int ap_decode_left(const void *p, size_t len, struct ap_left *out)
	__attribute__((warn_unused_result));
int ap_decode_stats(const void *p, size_t len, struct ap_stats *out)
	__attribute__((warn_unused_result));
/** ap_decode_ps() - at most @cap (AP_MAX_PS suffices) entries; more are -EPROTO */
int ap_decode_ps(const void *p, size_t len, struct ap_ps_entry *out, size_t cap, size_t *out_n)
	__attribute__((warn_unused_result));

#endif /* BASE_AGENT_PROTO_H */
