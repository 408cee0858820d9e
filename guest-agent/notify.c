/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - sd_notify(3) of the container, carried to the host; see notify.h */
#include "notify.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "layout.h"
#include "sys.h"

#define AT_ONCE 8 /* datagrams for one event: others want their turn */

int notify_open(struct agent *a)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = LAYOUT_NOTIFY};
	int rc;

	a->notify = sys_rc(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (a->notify < 0) {
		return a->notify;
	}
	rc = sys_rc(bind(a->notify, (struct sockaddr *)&sa, sizeof(sa)));
	rc = rc ? rc : sys_rc(chmod(LAYOUT_NOTIFY, 0666)); /* any user of the container may */
	return rc ? rc : agent_watch(a, a->notify, ref_make(REF_NOTIFY, 0, 0, 0), EPOLLIN);
}

static void pass_on(struct agent *a, const char *text)
{
	struct ap_notify m = {.text = text};
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n = cap < CONN_OUT_CAP / 2 ? -ENOBUFS /* that half is for answers and exits */
					: ap_encode_notify(&m, room, cap);

	if (n > 0) {
		conn_commit(&a->conn, (size_t)n);
	}
}

void notify_event(struct agent *a)
{
	char text[AP_NOTIFY_MAX + 1];

	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n = recv(a->notify, text, sizeof(text) - 1, MSG_DONTWAIT);

		if (n < 0) {
			return;
		}
		text[n] = '\0'; /* what follows a NUL of theirs is lost: it is no text */
		pass_on(a, text);
	}
}
