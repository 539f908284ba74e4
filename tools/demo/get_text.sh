#!/usr/bin/env bash
# The demo's real text, out of Debian or Ubuntu packages that are downloaded and unpacked beside the system, never
# installed: data/demo/DOMAIN.jsonl.gz for every domain of tools/demo/domains.tsv that is not there yet.
# Needs no rights. Usage: get_text.sh [TABLE [FOLDER]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
table=${1:-$here/domains.tsv}
folder=${2:-data/demo}

die() { echo "demo text: $*" >&2; exit 1; }

missing=() wanted=() # domains; their packages, A|B where names differ
while IFS=$'\t' read -r domain _ _ packages _; do
  [[ -z $domain || $domain == \#* || -e $folder/$domain.jsonl.gz ]] && continue
  read -ra names <<<"$packages"
  missing+=("$domain") wanted+=("${names[@]}")
done <"$table"
((${#missing[@]})) || exit 0

for tool in apt-get apt-cache dpkg-deb python3; do
  command -v $tool >/dev/null || die "$tool is needed. Elsewhere put text of your own in its place: lines of" \
    "{\"id\", \"text\"} in $folder/DOMAIN.jsonl.gz for ${missing[*]}"
done
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work" "$folder"/*.tmp' EXIT
mkdir "$work/deb"

# Nothing is installed: apt's sandbox user, who can't write to our folders, isn't needed.
options=(-qq -o "APT::Sandbox::User=$(id -un)")

# The first name of A|B|C that the distribution has, for each one wanted; fails, with `unknown` set, where it has none.
choose() {
  local entry name names known
  IFS=$' \n' read -rd '' -a names <<<"${wanted[*]//|/ }" || true
  # policy prints a paragraph per package it knows: "NAME:", "  Installed: ...", "  Candidate: VERSION or (none)"
  known=$(apt-cache "${options[@]}" policy "${names[@]}" |
    awk '/^[^ ]/ {name = $1; sub(/:$/, "", name)} /Candidate:/ && $2 != "(none)" {print name}')
  chosen=()
  for entry in "${wanted[@]}"; do
    name=$(tr '|' '\n' <<<"$entry" | grep -Fxm1 -f <(echo "$known")) || { unknown=$entry; return 1; }
    chosen+=("$name")
  done
}

download() { (cd "$work/deb" && apt-get "${options[@]}" download "${chosen[@]}"); }

echo "demo text: getting ${#wanted[@]} packages for ${missing[*]}"
if ! choose || ! download 2>"$work/why"; then
  # The system has no package lists (a fresh container), or older ones than its mirror: get our own.
  mkdir -p "$work"/{lists,archives}/partial
  options+=(-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work")
  # Without a network apt-get update only warns, and finds no packages.
  apt-get "${options[@]}" update || die "apt-get can't get the package lists (it says why, above)"
  choose || die "no package $unknown: there is no network (then apt-get says so, above), or this distribution lacks it" \
    "and its domain needs another one in $table"
  download || die "apt-get can't download packages (it says why, above). Is there a network?"
fi

while IFS=$'\t' read -r domain _ millions packages rule; do
  [[ " ${missing[*]} " == *" $domain "* ]] || continue
  rm -rf "$work/unpacked"
  for name in ${packages//|/ }; do
    for deb in "$work/deb/$name"_*.deb; do
      [[ ! -e $deb ]] || { mkdir -p "$work/unpacked/$name" && dpkg-deb -x "$deb" "$work/unpacked/$name"; }
    done
  done
  read -ra words <<<"$rule"
  out=$folder/$domain.jsonl.gz
  size=$(python3 "$here/extract.py" "$work/unpacked" "$millions" "$out.tmp" "${words[@]}") || die "no text for $domain"
  mv "$out.tmp" "$out"
  echo "demo text: $domain, $size"
done <"$table"
