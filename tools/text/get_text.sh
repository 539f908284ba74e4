#!/usr/bin/env bash
# Real text out of Debian or Ubuntu packages: FOLDER/DOMAIN.jsonl.gz for every domain of TABLE, or for those named, that is
# not there yet. Needs no rights. A run that is stopped keeps the domains it has made, the next one goes on.
#   get_text.sh [-m MILLIONS] TABLE FOLDER [DOMAIN...]     -m: at most so many million characters of each domain
# Ends with exit code 2 if some domain could not be made: it says which and why, and makes the others.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "text: $*" >&2; }
die() { say "$*"; exit 2; }

most=
if [[ ${1:-} == -m && $# -ge 2 ]]; then most=$2; shift 2; fi
[[ $# -ge 2 && $most =~ ^[0-9]*\.?[0-9]*$ ]] || die "usage: get_text.sh [-m MILLIONS] TABLE FOLDER [DOMAIN...]"
table=$1 folder=$2
shift 2
for domain; do
  grep -q -- "^$domain"$'\t' "$table" || die "$table has no domain $domain"
done

missing=() wanted=() # rows of the table, and their packages
while IFS=$'\t' read -r domain _ _ millions packages rule; do
  [[ -z $domain || $domain == \#* || -e $folder/$domain.jsonl.gz ]] && continue
  (($# == 0)) || [[ " $* " == *" $domain "* ]] || continue
  read -ra names <<<"$packages"
  missing+=("$domain"$'\t'"${most:-$millions}"$'\t'"$packages"$'\t'"$rule") wanted+=("${names[@]}")
done <"$table"
((${#missing[@]})) || exit 0

tools=(apt-get apt-cache apt-config dpkg-deb python3)
[[ ${wanted[*]} != *src:* ]] || tools+=(tar xz bzip2)
for tool in "${tools[@]}"; do
  command -v "$tool" >/dev/null || die "$tool is needed. Elsewhere put text of your own in its place: lines of" \
    "{\"id\", \"text\"} in $folder/DOMAIN.jsonl.gz for $(printf '%s\n' "${missing[@]}" | cut -f1 | paste -sd' ')"
done
mkdir -p "$folder"
work=$(mktemp -d)
part=$folder/.${work##*/}.part # beside its final place, and of this run alone
trap 'rm -rf "$work" "$part"' EXIT
# shellcheck source=tools/text/packages.sh
source "$here/packages.sh"

choose_all() { for entry in "${wanted[@]}"; do choose "$entry" >/dev/null || return 1; done; }

say "getting ${#wanted[@]} packages for ${#missing[@]} domains"
look_up "${wanted[@]}"
if ! choose_all; then
  renew_lists || die "apt-get can't get the package lists (it says why, above)"
  look_up "${wanted[@]}"
fi

# One domain; says on stderr what it lacks.
make_domain() { # DOMAIN MILLIONS PACKAGES RULE
  local entry name size words entries
  read -ra entries <<<"$3"
  read -ra words <<<"$4"
  rm -rf "$work/unpacked"
  for entry in "${entries[@]}"; do
    name=$(choose "$entry") || { say "$1: no package $entry. Is there a network? Else this distribution lacks it, and" \
      "$table needs another one"; return 1; }
    download "$name" 2>"$work/why" || { say "$1: apt-get can't download $name: $(paste -sd' ' "$work/why")"; return 1; }
    unpack "$name" "$work/unpacked/$name" || { say "$1: can't unpack $name (it says why, above)"; return 1; }
  done
  size=$(python3 "$here/extract.py" "$work/unpacked" "$2" "$part" "${words[@]}") || { say "$1: no text"; return 1; }
  mv "$part" "$folder/$1.jsonl.gz"
  say "$1, $size"
}

failed=()
for row in "${missing[@]}"; do
  IFS=$'\t' read -r domain millions packages rule <<<"$row"
  make_domain "$domain" "$millions" "$packages" "$rule" || failed+=("$domain")
done
((!${#failed[@]})) || die "not made: ${failed[*]}"
