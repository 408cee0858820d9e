/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsd.c - dnsd READY ADDRESS: a name server for tests; create READY when it listens
 *
 * Whatever name is asked for has the IPv4 address 192.0.2.77 (RFC 5737: nobody's).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER	 12
#define QUESTION 4 /* type and class behind the name */

static const unsigned char record[] = {0xc0, HEADER,	      /* the name of the question */
				       0,    1,	     0,	  1,  /* A, IN */
				       0,    0,	     0,	  60, /* seconds it holds */
				       0,    4,	     192, 0,  2, 77};

/* Return: length of the answer, which replaces the question in @m; 0: none */
static size_t answer(unsigned char *m, size_t len, size_t cap)
{
	size_t end = HEADER;
	int is_a;

	while (end < len && m[end] != 0) {
		end += m[end] + 1u;
	}
	end += 1 + QUESTION;
	if (end > len || end + sizeof(record) > cap) {
		return 0;
	}
	is_a = m[end - 3] == 1;
	m[2] = 0x85; /* an answer, with authority */
	m[3] = 0x80;
	memset(m + 4, 0, 8);
	m[5] = 1; /* one question */
	m[7] = (unsigned char)is_a;
	if (is_a) {
		memcpy(m + end, record, sizeof(record));
		end += sizeof(record);
	}
	return end;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(53)};
	unsigned char m[4096];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 3 || inet_pton(AF_INET, argv[2], &sa.sin_addr) != 1) {
		fprintf(stderr, "usage: dnsd READY ADDRESS\n");
		return 2;
	}
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    close(creat(argv[1], 0644)) < 0) {
		perror("dnsd");
		return 1;
	}
	for (;;) {
		socklen_t sa_len = sizeof(sa);
		ssize_t n = recvfrom(fd, m, sizeof(m), 0, (struct sockaddr *)&sa, &sa_len);
		size_t len = n > HEADER ? answer(m, (size_t)n, sizeof(m)) : 0;

		if (len > 0) {
			(void)!sendto(fd, m, len, 0, (struct sockaddr *)&sa, sa_len);
		}
	}
}
