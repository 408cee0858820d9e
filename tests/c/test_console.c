/* SPDX-License-Identifier: Apache-2.0 */
/* test_console.c - the console that remembers the guest's last lines */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "dev_lies.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_serve.h"

#define TX VIRTIO_CONSOLE_Q_TX
#define RX VIRTIO_CONSOLE_Q_RX

struct fixture {
	struct eg *g;
	struct virtio_console *con;
	struct virtio_dev *dev;
	size_t sunk;
	unsigned printed;
	uint16_t head;
	bool add_more;
};

static void sink(void *ctx, const void *data, size_t len)
{
	struct fixture *f = ctx;

	assert_non_null(data);
	f->sunk += len;
	if (f->add_more) {
		eg_avail_push(f->g, TX, f->head);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->g = eg_create();
	assert_int_equal(virtio_console_create(eg_mem(f->g), sink, f, &f->con), 0);
	f->dev = virtio_console_dev(f->con);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_console_destroy(f->con);
	eg_destroy(f->g);
	free(f);
	return 0;
}

static void print(struct fixture *f, const void *text, size_t len)
{
	struct eg_buf b = EG_OUT(text, len);
	struct eg_used u;

	(void)eg_add_chain(f->g, TX, &b, 1);
	eg_kick(f->g, TX);
	assert_true(eg_used_next(f->g, TX, &u));
	assert_int_equal(u.len, 0);
}

static void print_str(struct fixture *f, const char *text)
{
	print(f, text, strlen(text));
}

static void assert_tail(struct fixture *f, size_t n, const char *want)
{
	char buf[256];

	memset(buf, '#', sizeof(buf));
	assert_true(n <= sizeof(buf));
	assert_int_equal(virtio_console_tail(f->con, buf, n), strlen(want));
	assert_string_equal(buf, want);
}

static void good(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;
	char line[32];

	(void)g;
	(void)snprintf(line, sizeof(line), "line %u\n", ++f->printed);
	print_str(f, line);
	assert_tail(f, strlen(line) + 1, line);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_CONSOLE);
	assert_int_equal(eg_offered(f->dev) & 0xffffff, 0); /* no MULTIPORT, no SIZE */
	assert_tail(f, 100, "");
	assert_tail(f, 1, "");
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	assert_tail(f, 100, "");
}

static void test_tail_begins_with_a_line(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	print_str(f, "one\ntwo\nthree\n");
	assert_tail(f, 100, "one\ntwo\nthree\n");
	assert_tail(f, 15, "one\ntwo\nthree\n");
	assert_tail(f, 14, "two\nthree\n");
	assert_tail(f, 11, "two\nthree\n");
	assert_tail(f, 10, "three\n");
	assert_tail(f, 5, "ree\n"); /* no whole line fits: the end of one */
	assert_tail(f, 1, "");
	assert_int_equal(f->sunk, 14);
}

static void test_tail_is_printable(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	print(f,
	      "a\tb\r\nc\rd\033[2J\0\x7f\x80\xff"
	      "e\r\n\r\n",
	      21);
	assert_tail(f, 100, "a\tb\nc?d?[2J????e\n\n");
	assert_tail(f, 15, "c?d?[2J????e\n\n");
}

static void test_ring_wraps(void **state)
{
	struct fixture *f = *state;
	static char big[VIRTIO_CONSOLE_RING + 5000];
	static char tail[2 * VIRTIO_CONSOLE_RING];

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	print_str(f, "early\n");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	print(f, big, sizeof(big));
	assert_int_equal(virtio_console_tail(f->con, tail, sizeof(tail)), VIRTIO_CONSOLE_RING);
	assert_int_equal(tail[0], 'x');
	print_str(f, "late\n");
	assert_int_equal(virtio_console_tail(f->con, tail, sizeof(tail)), 5);
	assert_string_equal(tail, "late\n"); /* the first whole line that is left */
	assert_int_equal(f->sunk, 6 + sizeof(big) + 5);
}

static void test_survives_reset(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	print_str(f, "last words\n");
	eg_reset(f->g);
	assert_tail(f, 100, "last words\n");
}

static void test_input_is_never_given(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_IN(64);
	struct eg_used u;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	(void)eg_add_chain(f->g, RX, &b, 1);
	eg_kick(f->g, RX);
	assert_false(eg_used_next(f->g, RX, &u));
	assert_false(eg_needs_reset(f->g));
	good(f->g, f);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct eg_buf in = EG_IN(8);
	struct eg_buf b[2] = {EG_OUT(NULL, VIRTIO_CONSOLE_WRITE_MAX), EG_OUT(NULL, 1)};

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	(void)eg_add_chain(f->g, TX, &in, 1);
	eg_kick(f->g, TX);
	assert_true(eg_needs_reset(f->g));
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	(void)eg_add_chain(f->g, TX, b, 2);
	eg_kick(f->g, TX);
	assert_true(eg_needs_reset(f->g));
	assert_int_equal(f->sunk, 0);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	b[0].addr = 0;
	(void)eg_add_chain(f->g, TX, b, 1);
	eg_kick(f->g, TX);
	assert_false(eg_needs_reset(f->g));
	assert_int_equal(f->sunk, VIRTIO_CONSOLE_WRITE_MAX);
	good(f->g, f);
}

static void test_lies(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b[2] = {EG_OUT("he", 2), EG_OUT("y\n", 2)};
	struct lies t = {.g = f->g,
			 .dev = f->dev,
			 .q = TX,
			 .bufs = b,
			 .n = 2,
			 .size = 64,
			 .good = good,
			 .ctx = f};

	lies_check(&t);
	lies_check_layouts(&t);
}

/* A driver that adds as fast as it is served gets a bounded amount of service a kick. */
static void test_budget(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_OUT("x", 1);
	uint64_t kicks = 0;

	assert_int_equal(virtio_dev_open_fds(f->dev), 0);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	f->head = eg_add_chain(f->g, TX, &b, 1);
	f->add_more = true;
	virtio_dev_kicked(f->dev, TX);
	assert_int_equal(f->sunk, VIRTIO_SERVE_BUDGET);
	assert_int_equal(read(f->dev->kick_fd[TX], &kicks, sizeof(kicks)), sizeof(kicks));
	f->add_more = false; /* and goes on when its turn comes */
	virtio_dev_kicked(f->dev, TX);
	assert_int_equal(f->sunk, VIRTIO_SERVE_BUDGET + 1);
	assert_int_equal(read(f->dev->kick_fd[TX], &kicks, sizeof(kicks)), -1);
	virtio_console_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail_begins_with_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail_is_printable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_survives_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_is_never_given, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
