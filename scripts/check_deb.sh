#!/usr/bin/env bash
# Builds the Debian package in a minimal system of a release, and installs and uses it in another one. Needs the same as
# scripts/fresh_machine_check.sh. The package stays in build/fresh/packages/SUITE.
#
#   scripts/check_deb.sh [SUITE]      default bookworm
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
suite=${1:-bookworm}

rm -rf "$root/build/fresh/packages/$suite"
"$root/scripts/fresh_machine_check.sh" --run=make_deb.sh "$suite"
"$root/scripts/fresh_machine_check.sh" --run=check_installed.sh "$suite"
ls "$root/build/fresh/packages/$suite"/*.deb
