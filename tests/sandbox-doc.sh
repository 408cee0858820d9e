#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sandbox-doc.sh - the table of docs/SANDBOX.md that a test proves
#
# usage: sandbox-doc.sh BUILD-DIR [--check]
#
# Between its marks the document has what test_escape expects, and sees, of each attempt
# to get out. Without --check the document is rewritten, with it a difference is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 doc=docs/SANDBOX.md
new=$(mktemp) || exit 1
trap 'rm -f "$new"' EXIT

sed '/^<!-- attempts: /q' "$doc" > "$new"
"$build/tests/test_escape" table >> "$new" || exit 1
sed -n '/^<!-- end of attempts -->/,$p' "$doc" >> "$new"
if [ "${2:-}" = --check ]; then
	diff -u "$doc" "$new" || { echo "$doc is not up to date: run 'make docs'"; exit 1; }
elif ! cmp -s "$doc" "$new"; then
	cat "$new" > "$doc"
fi
