/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the guest's PID 1, and agents of members that it starts */
#include <unistd.h>

#include "agent.h"
#include "boot.h"
#include "fail.h"
#include "member.h"
#include "sys.h"

static struct agent agent;

int main(int argc, char **argv)
{
	static struct ap_hello hello;
	int control, rc;

	hello.stamp_ns[AP_STAMP_AGENT] = sys_now_ns();
	if (getpid() != 1) {
		static const char text[] = "volt-agent: only a guest's first process\n";

		member_main(argc, argv);
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		return 1;
	}
	boot_mounts(&hello);
	control = boot_connect(AP_PORT_CONTROL);
	if (control < 0) {
		agent_die("boot: no control connection: %s", fail_errno_text(-control));
	}
	rc = agent_init(&agent, control);
	rc = rc ? rc : agent_hello(&agent, &hello);
	rc = rc ? rc : agent_run(&agent);
	if (rc) {
		agent_die("ends: %s", fail_errno_text(-rc));
	}
	agent_reboot();
}
