/* SPDX-License-Identifier: Apache-2.0 */
/* test_spec_reject.c - what config.json may not say, and the exact words we answer */
#include "cm.h"

#include "base/checked.h"
#include "oci/spec.h"

#define BASE(more)   "{'ociVersion':'1.2.0','root':{'path':'r'}" more "}"
#define PROC(more)   BASE(",'process':{'cwd':'/','args':['a']" more "}")
#define MOUNT(body)  BASE(",'mounts':[{" body "}]")
#define LINUX(body)  BASE(",'linux':{" body "}")
#define RES(body)    LINUX("'resources':{" body "}")
#define SECC(body)   LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'" body "}")
#define SCHED(body)  PROC(",'scheduler':{" body "}")
#define DEVICE(body) LINUX("'devices':[{" body "}]")
#define IDMAP(body)                                                                                \
	MOUNT("'destination':'/d','source':'/s','options':['bind'],'uidMappings':[{" body "}]")
#define HOOK(body) BASE(",'hooks':{'poststop':[{" body "}]}")
#define A65	   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct reject {
	const char *config;
	const char *message; /* after "config.json: " */
};

static const struct reject rejects[] = {
	/* the whole */
	{"[]", "must be an object, not an array"},
	{"{}", "ociVersion: must be set"},
	{"{'ociVersion':'1.2.0'}", "root: must be set"},
	{"{'ociVersion':'1.2.0','root':{}}", "root.path: must be set"},
	{"{'ociVersion':'1.2.0','root':{'path':''}}", "root.path: must not be empty"},
	{"{'ociVersion':'2.0.0','root':{'path':'r'}}",
	 "ociVersion: must be a version 1.x.y, not '2.0.0'"},
	{"{'ociVersion':'','root':{'path':'r'}}", "ociVersion: must be a version 1.x.y, not ''"},
	{BASE(",'root':{'path':'r'}"), "root: duplicate key"},
	{BASE(",'hostname':'h'"),
	 "hostname: unable to set hostname without a private UTS namespace"},
	{BASE(",'domainname':'h'"),
	 "domainname: unable to set domainname without a private UTS namespace"},
	{BASE(",'hostname':'" A65 "','linux':{'namespaces':[{'type':'uts'}]}"),
	 "hostname: longer than 64 characters"},
	{BASE(",'annotations':{'':'x'}"), "annotations: a key must not be empty"},
	{BASE(",'annotations':{'a.b':1}"), "annotations[\"a.b\"]: must be a string, not a number"},

	/* process */
	{BASE(",'process':{'cwd':'/'}"), "process.args: must not be empty"},
	{BASE(",'process':{'cwd':'/','args':[]}"), "process.args: must not be empty"},
	{BASE(",'process':{'cwd':'/','args':['a',2]}"),
	 "process.args[1]: must be a string, not a number"},
	{BASE(",'process':{'args':['a']}"), "process.cwd: must be set"},
	{BASE(",'process':{'args':['a'],'cwd':'tmp'}"), "process.cwd: must be an absolute path"},
	{BASE(",'process':{'args':['a'],'cwd':''}"), "process.cwd: must be an absolute path"},
	{PROC(",'env':['A']"), "process.env[0]: must look like NAME=value"},
	{PROC(",'env':['A=1','=x']"), "process.env[1]: must look like NAME=value"},
	{PROC(",'user':{'uid':-1}"),
	 "process.user.uid: must be an integer from 0 to 4294967294, not -1"},
	{PROC(",'user':{'gid':4294967295}"),
	 "process.user.gid: must be an integer from 0 to 4294967294, not 4294967295"},
	{PROC(",'user':{'umask':4096}"),
	 "process.user.umask: must be an integer from 0 to 4095, not 4096"},
	{PROC(",'user':{'additionalGids':[1,'2']}"),
	 "process.user.additionalGids[1]: must be a number, not a string"},
	{PROC(",'rlimits':[{'type':'RLIMIT_FOO','soft':1,'hard':1}]"),
	 "process.rlimits[0].type: unknown rlimit 'RLIMIT_FOO'"},
	{PROC(",'rlimits':[{'type':'RLIMIT_CPU','soft':2,'hard':1}]"),
	 "process.rlimits[0].soft: must not be greater than the hard limit"},
	{PROC(",'rlimits':[{'type':'RLIMIT_CPU','soft':1}]"),
	 "process.rlimits[0].hard: must be set"},
	{PROC(",'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},"
	      "{'type':'RLIMIT_CPU','soft':1,'hard':1}]"),
	 "process.rlimits[1]: RLIMIT_CPU is there twice"},
	{PROC(",'oomScoreAdj':1001"),
	 "process.oomScoreAdj: must be an integer from -1000 to 1000, not 1001"},
	{PROC(",'consoleSize':{'height':65536,'width':1}"),
	 "process.consoleSize.height: must be an integer from 0 to 65535, not 65536"},
	{SCHED(""), "process.scheduler.policy: must be set"},
	{SCHED("'policy':'SCHED_X'"),
	 "process.scheduler.policy: unknown scheduling policy 'SCHED_X'"},
	{SCHED("'policy':'SCHED_ISO'"),
	 "process.scheduler.policy: SCHED_ISO is reserved and not implemented by Linux"},
	{SCHED("'policy':'SCHED_OTHER','priority':1"),
	 "process.scheduler.priority: only SCHED_FIFO and SCHED_RR have a priority"},
	{SCHED("'policy':'SCHED_RR'"),
	 "process.scheduler.priority: must be from 1 to 99 for SCHED_FIFO and SCHED_RR"},
	{SCHED("'policy':'SCHED_OTHER','runtime':1"),
	 "process.scheduler.policy: only SCHED_DEADLINE has runtime, deadline and period"},
	{SCHED("'policy':'SCHED_OTHER','flags':['X']"),
	 "process.scheduler.flags[0]: unknown scheduler flag 'X'"},
	{SCHED("'policy':'SCHED_OTHER','nice':20"),
	 "process.scheduler.nice: must be an integer from -20 to 19, not 20"},
	{PROC(",'ioPriority':{'class':'X','priority':0}"),
	 "process.ioPriority.class: unknown I/O priority class 'X'"},
	{PROC(",'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':8}"),
	 "process.ioPriority.priority: must be an integer from 0 to 7, not 8"},
	{PROC(",'execCPUAffinity':{'initial':'0-'}"),
	 "process.execCPUAffinity.initial: must be a list like 0-3,7, not '0-'"},
	{PROC(",'execCPUAffinity':{'final':'x'}"),
	 "process.execCPUAffinity.final: must be a list like 0-3,7, not 'x'"},
	{PROC(",'capabilities':[]"), "process.capabilities: must be an object, not an array"},

	/* mounts */
	{MOUNT("'type':'proc'"), "mounts[0].destination: must be set"},
	{MOUNT("'destination':'','type':'proc'"), "mounts[0].destination: must not be empty"},
	{MOUNT("'destination':'/d'"), "mounts[0].type: must be set unless the options say bind"},
	{MOUNT("'destination':'/d','type':'bind'"),
	 "mounts[0].source: must be set for a bind mount"},
	{MOUNT("'destination':'/d','source':'','options':['rbind']"),
	 "mounts[0].source: must be set for a bind mount"},
	{MOUNT("'destination':'/d','type':'tmpfs',"
	       "'uidMappings':[{'containerID':0,'hostID':0,'size':1}],"
	       "'gidMappings':[{'containerID':0,'hostID':0,'size':1}]"),
	 "mounts[0].uidMappings: only bind mounts can have id mappings"},
	{IDMAP("'containerID':0,'hostID':0,'size':1"),
	 "mounts[0].gidMappings: must be set when uidMappings are"},
	{IDMAP("'containerID':0,'hostID':0,'size':0"),
	 "mounts[0].uidMappings[0].size: must not be 0"},
	{IDMAP("'containerID':0,'hostID':4294967295,'size':2"),
	 "mounts[0].uidMappings[0].size: reaches beyond the last id"},
	{IDMAP("'containerID':0,'size':2"), "mounts[0].uidMappings[0].hostID: must be set"},

	/* hooks */
	{HOOK(""), "hooks.poststop[0].path: must be set"},
	{HOOK("'path':'x'"), "hooks.poststop[0].path: must be an absolute path"},
	{HOOK("'path':'/x','timeout':0"),
	 "hooks.poststop[0].timeout: must be an integer from 1 to 2147483647, not 0"},

	/* linux */
	{LINUX("'namespaces':[{'type':'x'}]"), "linux.namespaces[0].type: unknown namespace 'x'"},
	{LINUX("'namespaces':[{}]"), "linux.namespaces[0].type: must be set"},
	{LINUX("'namespaces':[{'type':'pid'},{'type':'uts'},{'type':'pid'}]"),
	 "linux.namespaces[2]: the pid namespace is there twice"},
	{LINUX("'namespaces':[{'type':'network','path':'ns'}]"),
	 "linux.namespaces[0].path: must be an absolute path"},
	{LINUX("'namespaces':[{'type':'user'}],'gidMappings':[{'containerID':0,'hostID':0,"
	       "'size':1}]"),
	 "linux.uidMappings: must be set for a new user namespace"},
	{LINUX("'sysctl':{'kernel.hostname':'h'}"),
	 "linux.sysctl[\"kernel.hostname\"]: is not allowed as it conflicts with the OCI "
	 "\"hostname\" field"},
	{BASE(",'domainname':'a','linux':{'namespaces':[{'type':'uts'}],"
	      "'sysctl':{'kernel.domainname':'b'}}"),
	 "linux.sysctl[\"kernel.domainname\"]: is not allowed as it conflicts with the OCI "
	 "\"domainname\" field"},
	{LINUX("'namespaces':[{'type':'user'}],'uidMappings':[{'containerID':0,'hostID':0,"
	       "'size':1}]"),
	 "linux.gidMappings: must be set for a new user namespace"},
	{LINUX("'uidMappings':[{'containerID':0,'hostID':0,'size':1}]"),
	 "linux.uidMappings: id mappings need a user namespace"},
	{LINUX("'timeOffsets':{'monotonic':{'secs':1}}"),
	 "linux.timeOffsets: need a time namespace"},
	{LINUX("'timeOffsets':{'realtime':{'secs':1}}"),
	 "linux.timeOffsets.realtime: unknown clock: must be monotonic or boottime"},
	{LINUX("'timeOffsets':{'boottime':{'nanosecs':1000000000}}"),
	 "linux.timeOffsets.boottime.nanosecs: must be an integer from 0 to 999999999, not "
	 "1000000000"},
	{DEVICE("'path':'/dev/x'"), "linux.devices[0].type: must be set"},
	{DEVICE("'path':'/dev/x','type':'x'"),
	 "linux.devices[0].type: must be b, c, u or p, not 'x'"},
	{DEVICE("'path':'/dev/x','type':''"),
	 "linux.devices[0].type: must be b, c, u or p, not ''"},
	{DEVICE("'path':'dev/x','type':'p'"), "linux.devices[0].path: must be an absolute path"},
	{DEVICE("'path':'/dev/x','type':'c'"),
	 "linux.devices[0].major: must be set for a device of type c"},
	{DEVICE("'path':'/dev/x','type':'u','major':1"),
	 "linux.devices[0].minor: must be set for a device of type u"},
	{LINUX("'intelRdt':{'closID':'x'}"),
	 "linux.intelRdt: not supported: resctrl groups are not managed"},
	{LINUX("'intelRdt':{'closID':1}"), "linux.intelRdt.closID: must be a string, not a number"},
	{LINUX("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0'}"),
	 "linux.memoryPolicy: not supported: the machine has one memory node"},
	{LINUX("'memoryPolicy':{'mode':'X'}"),
	 "linux.memoryPolicy.mode: unknown memory policy 'X'"},
	{LINUX("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'a'}"),
	 "linux.memoryPolicy.nodes: must be a list like 0-3,7, not 'a'"},
	{LINUX("'memoryPolicy':{'mode':'MPOL_BIND','flags':['X']}"),
	 "linux.memoryPolicy.flags[0]: unknown memory policy flag 'X'"},
	{LINUX("'personality':{'domain':'X'}"),
	 "linux.personality.domain: unknown personality domain 'X'"},
	{LINUX("'personality':{'domain':'LINUX','flags':['X']}"),
	 "linux.personality.flags: not supported: none are defined"},
	{LINUX("'sysctl':{'a..b':'1'}"),
	 "linux.sysctl[\"a..b\"]: is not the name of a sysctl: contains an invalid path"},
	{LINUX("'sysctl':{'/a':'1'}"),
	 "linux.sysctl[\"/a\"]: is not the name of a sysctl: contains an invalid path"},
	{LINUX("'rootfsPropagation':'x'"), "linux.rootfsPropagation: unknown propagation 'x'"},
	{LINUX("'maskedPaths':['/a','b']"), "linux.maskedPaths[1]: must be an absolute path"},
	{LINUX("'readonlyPaths':['']"), "linux.readonlyPaths[0]: must be an absolute path"},

	/* resources */
	{RES("'devices':[{'type':'c'}]"), "linux.resources.devices[0].allow: must be set"},
	{RES("'devices':[{'allow':true,'type':'x'}]"),
	 "linux.resources.devices[0].type: must be a, b or c, not 'x'"},
	{RES("'devices':[{'allow':true,'access':'rx'}]"),
	 "linux.resources.devices[0].access: must be made of r, w and m, not 'rx'"},
	{RES("'memory':{'limit':-2}"),
	 "linux.resources.memory.limit: must be an integer from -1 to 9223372036854775807, not -2"},
	{RES("'memory':{'limit':9223372036854775808}"),
	 "linux.resources.memory.limit: must be an integer from -1 to 9223372036854775807, not "
	 "9223372036854775808"},
	{RES("'memory':{'limit':10,'swap':9}"),
	 "linux.resources.memory.swap: must not be less than the memory limit, which it includes"},
	{RES("'memory':{'swappiness':101}"),
	 "linux.resources.memory.swappiness: must be an integer from 0 to 100, not 101"},
	{RES("'cpu':{'cpus':'0,'}"),
	 "linux.resources.cpu.cpus: must be a list like 0-3,7, not '0,'"},
	{RES("'cpu':{'mems':'1-0'}"),
	 "linux.resources.cpu.mems: must be a list like 0-3,7, not '1-0'"},
	{RES("'cpu':{'idle':2}"),
	 "linux.resources.cpu.idle: must be an integer from 0 to 1, not 2"},
	{RES("'cpu':{'shares':-1}"), "linux.resources.cpu.shares: must be an integer from 0 to "
				     "18446744073709551615, not -1"},
	{RES("'blockIO':{'weight':65536}"),
	 "linux.resources.blockIO.weight: must be an integer from 0 to 65535, not 65536"},
	{RES("'blockIO':{'throttleReadBpsDevice':[{'major':1,'minor':1}]}"),
	 "linux.resources.blockIO.throttleReadBpsDevice[0].rate: must be set"},
	{RES("'hugepageLimits':[{'pageSize':'2M','limit':1}]"),
	 "linux.resources.hugepageLimits[0].pageSize: must look like 64KB, 2MB or 1GB, not '2M'"},
	{RES("'hugepageLimits':[{'pageSize':'../MB','limit':1}]"),
	 "linux.resources.hugepageLimits[0].pageSize: must look like 64KB, 2MB or 1GB, not "
	 "'../MB'"},
	{RES("'unified':{'memory/high':'1'}"),
	 "linux.resources.unified[\"memory/high\"]: must be the name of a cgroup file: the "
	 "specified key has not the form CONTROLLER.VALUE `memory/high`"},
	{RES("'unified':{'..':'1'}"),
	 "linux.resources.unified[\"..\"]: must be the name of a cgroup file: the specified key "
	 "has not the form CONTROLLER.VALUE `..`"},
	{RES("'unified':{'rdma.max':'1'}"),
	 "linux.resources.unified[\"rdma.max\"]: can't be set: controller \"rdma\" not available "
	 "(the requested cgroup controller `rdma` is not available)"},
	{RES("'unified':{'memorys.max':'1'}"),
	 "linux.resources.unified[\"memorys.max\"]: can't be set: controller \"memorys\" not "
	 "available (the requested cgroup controller `memorys` is not available)"},

	/* seccomp */
	{LINUX("'seccomp':{}"), "linux.seccomp.defaultAction: must be set"},
	{LINUX("'seccomp':{'defaultAction':'X'}"),
	 "linux.seccomp.defaultAction: unknown action 'X'"},
	{LINUX("'seccomp':{'defaultAction':'SCMP_ACT_NOTIFY'}"),
	 "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported: a listener on the host "
	 "can't answer for system calls in the guest"},
	{SECC(",'defaultErrnoRet':1"), "linux.seccomp.defaultErrnoRet: only SCMP_ACT_ERRNO and "
				       "SCMP_ACT_TRACE take a number"},
	{SECC(",'architectures':['X']"),
	 "linux.seccomp.architectures[0]: unknown architecture 'X'"},
	{SECC(",'flags':['X']"), "linux.seccomp.flags[0]: unknown seccomp flag 'X'"},
	{SECC(",'listenerPath':'/s'"), "linux.seccomp.listenerPath: not supported: a listener on "
				       "the host can't answer for system "
				       "calls in the guest"},
	{SECC(",'syscalls':[{'names':[],'action':'SCMP_ACT_LOG'}]"),
	 "linux.seccomp.syscalls[0].names: must not be empty"},
	{SECC(",'syscalls':[{'action':'SCMP_ACT_LOG'}]"),
	 "linux.seccomp.syscalls[0].names: must be set"},
	{SECC(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_NOTIFY'}]"),
	 "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY is not supported: a listener on the "
	 "host "
	 "can't answer for system calls in the guest"},
	{SECC(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW','errnoRet':1}]"),
	 "linux.seccomp.syscalls[0].errnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take a "
	 "number"},
	{SECC(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW',"
	      "'args':[{'index':6,'value':1,'op':'SCMP_CMP_EQ'}]}]"),
	 "linux.seccomp.syscalls[0].args[0].index: must be an integer from 0 to 5, not 6"},
	{SECC(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW',"
	      "'args':[{'index':1,'value':1,'op':'X'}]}]"),
	 "linux.seccomp.syscalls[0].args[0].op: unknown operator 'X'"},

	/* vm */
	{BASE(",'vm':{'hypervisor':{'path':'/h'}}"),
	 "vm.hypervisor: not supported: this runtime is the hypervisor"},
	{BASE(",'vm':{'image':{'path':'/h'}}"), "vm.image: not supported: the root is root.path"},
	{BASE(",'vm':{'kernel':{}}"), "vm.kernel.path: must be set"},
	{BASE(",'vm':{'kernel':{'path':'k'}}"), "vm.kernel.path: must be an absolute path"},
	{BASE(",'vm':{'kernel':{'path':'/k','initrd':'i'}}"),
	 "vm.kernel.initrd: must be an absolute path"},
	{BASE(",'vm':{'kernel':{'path':'/k'}}"),
	 "vm.kernel: not supported: only the kernel that comes with the runtime is booted"},
	{BASE(",'vm':{'hwConfig':{'irqs':[1]}}"),
	 "vm.hwConfig.irqs: not supported: hardware is not passed through this way"},
	{BASE(",'windows':[]"), "windows: must be an object, not an array"},
};

static void each_is_refused_with_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(rejects); i++) {
		struct vr_err err = VR_ERR_INIT;
		struct oci_spec *spec = NULL;
		char *json = quoted(rejects[i].config);
		char expected[VR_ERR_MSG_MAX];
		int r = oci_spec_parse("config.json", json, strlen(json), &spec, &err);

		if (r >= 0) {
			fail_msg("accepted: %s", rejects[i].config);
		}
		(void)snprintf(expected, sizeof(expected), "config.json: %s", rejects[i].message);
		assert_message(err, expected);
		assert_null(spec);
		assert_int_equal(r, -err.code);
		assert_int_equal(oci_spec_parse("config.json", json, strlen(json), &spec, NULL), r);
		free(json);
	}
}

/* Near misses of the rules above: a table of rejects alone would also fit a parser that says no. */
static const char *const accepted[] = {
	BASE(""),
	PROC(",'env':['A=','B==']"),
	PROC(",'user':{'uid':4294967294,'umask':4095}"),
	PROC(",'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},"
	     "{'type':'RLIMIT_AS','soft':1,'hard':1}]"),
	SCHED("'policy':'SCHED_RR','priority':99"),
	SCHED("'policy':'SCHED_OTHER','nice':-20"),
	PROC(",'execCPUAffinity':{}"),
	MOUNT("'destination':'/d','source':'s','options':['bind']"),
	MOUNT("'destination':'/d','type':'none','source':'s','options':['rbind']"),
	MOUNT("'destination':'/d','options':['remount','ro']"),
	HOOK("'path':'/x','timeout':1"),
	LINUX("'namespaces':[{'type':'network','path':''}]"),
	LINUX("'namespaces':[{'type':'user','path':'/ns'}]"),
	LINUX("'namespaces':[{'type':'user'}]"),
	BASE(",'domainname':'a','linux':{'namespaces':[{'type':'uts'}],"
	     "'sysctl':{'kernel.domainname':'a'}}"),
	LINUX("'namespaces':[{'type':'time'}],'timeOffsets':{'boottime':{}}"),
	DEVICE("'path':'/dev/x','type':'p'"),
	DEVICE("'path':'/dev/x','type':'b','major':0,'minor':0"),
	LINUX("'netDevices':{},'intelRdt':{}"),
	LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':''}"),
	LINUX("'rootfsPropagation':''"),
	RES("'memory':{'limit':-1,'swap':-1}"),
	RES("'memory':{'limit':10,'swap':10}"),
	RES("'memory':{'limit':10,'swap':-1}"),
	RES("'devices':[{'allow':true,'type':'','access':''}]"),
	RES("'hugepageLimits':[{'pageSize':'1048576KB','limit':0}]"),
	BASE(",'vm':{'hypervisor':{},'hwConfig':{'irqs':[]}}"),
	BASE(",'x-unknown':{'deep':[1,2]},'linux':{'alsoUnknown':5}"),
};

static void near_misses_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(accepted); i++) {
		struct vr_err err = VR_ERR_INIT;
		struct oci_spec *spec = NULL;
		char *json = quoted(accepted[i]);

		if (oci_spec_parse("config.json", json, strlen(json), &spec, &err) < 0) {
			fail_msg("refused: %s: %s", accepted[i], err.msg);
		}
		oci_spec_free(spec);
		free(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_with_its_words),
		cmocka_unit_test(near_misses_are_accepted),
	};

	return cmocka_run_group_tests_name("spec_reject", tests, NULL, NULL);
}
