/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the guest's PID 1 */
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "boot.h"
#include "fail.h"
#include "sys.h"

static struct agent agent;

static int say_hello(struct agent *a, struct ap_hello *hello)
{
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n;

	hello->stamp_ns[AP_STAMP_HELLO] = sys_now_ns();
	n = ap_encode_hello(hello, room, cap);
	if (n < 0) {
		return (int)n;
	}
	conn_commit(&a->conn, (size_t)n);
	return 0;
}

int main(void)
{
	static struct ap_hello hello;
	int rc;

	hello.stamp_ns[AP_STAMP_AGENT] = sys_now_ns();
	if (getpid() != 1) {
		static const char text[] = "volt-agent: only a guest's first process\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		return 1;
	}
	boot_mounts(&hello);
	rc = agent_init(&agent, boot_connect());
	rc = rc ? rc : say_hello(&agent, &hello);
	rc = rc ? rc : agent_run(&agent);
	if (rc) {
		agent_die("ends: %s", fail_errno_text(-rc));
	}
	agent_reboot();
}
