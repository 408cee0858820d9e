#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sandbox-doc.sh - the tables of docs/SANDBOX.md that tests prove
#
# usage: sandbox-doc.sh BUILD-DIR [--check]
#
# Between its marks the document has what test_sbx_left expects, and reads back, of each role,
# and what test_escape expects, and sees, of each attempt to get out. Without --check the
# document is rewritten, with it a difference is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 doc=docs/SANDBOX.md
new=$(mktemp) old=$(mktemp) || exit 1
trap 'rm -f "$new" "$old"' EXIT

# part MARK PROGRAM - put what it prints between those marks
part() {
	cp "$new" "$old" || exit 1
	sed "/^<!-- $1: /q" "$old" > "$new"
	"$build/tests/$2" table >> "$new" || exit 1
	sed -n "/^<!-- end of $1 -->/,\$p" "$old" >> "$new"
}

cp "$doc" "$new" || exit 1
part left test_sbx_left
part attempts test_escape
if [ "${2:-}" = --check ]; then
	diff -u "$doc" "$new" || { echo "$doc is not up to date: run 'make docs'"; exit 1; }
elif ! cmp -s "$doc" "$new"; then
	cat "$new" > "$doc"
fi
