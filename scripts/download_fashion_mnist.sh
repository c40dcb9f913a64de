#!/usr/bin/env bash
# Downloads the four files of Fashion-MNIST from their published address and verifies them.
#
#   scripts/download_fashion_mnist.sh FOLDER
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -eq 1 ] || die "usage: $0 FOLDER"
# Address and MD5 sums as in the README of github.com/zalandoresearch/fashion-mnist.
address=http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
command -v curl >/dev/null || die "curl not found: install it to download the data set"
mkdir -p "$1"
while read -r sum file; do
  if [ -e "$1/$file" ] && echo "$sum  $1/$file" | md5sum --check --status; then continue; fi
  say "Downloading $file"
  curl --fail --location --silent --show-error --output "$1/$file.part" "$address/$file" ||
    die "$address/$file could not be downloaded; copy the file to $1 by hand and run this again"
  echo "$sum  $1/$file.part" | md5sum --check --status || {
    rm -f "$1/$file.part"
    die "$file does not have its published checksum $sum: the download is damaged; run this again"
  }
  mv "$1/$file.part" "$1/$file"
done <<'EOF'
8d4fb7e6c68d591d4c3dfef9ec88bf0d train-images-idx3-ubyte.gz
25c81989df183df01b3e8a0aad5dffbe train-labels-idx1-ubyte.gz
bef4ecab320f06d8554ea6380940ec79 t10k-images-idx3-ubyte.gz
bb300cfdad3c16e7a12a480ee83cd310 t10k-labels-idx1-ubyte.gz
EOF
