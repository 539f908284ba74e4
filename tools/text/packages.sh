# shellcheck shell=bash
# Debian and Ubuntu packages, downloaded and unpacked below $work, never installed. Sourced by get_text.sh.
# A package is NAME, src:NAME (the source that it is built from) or A|B|C, the first of these that the distribution has.

# Nothing is installed: apt's sandbox user, who can't write to our folders, isn't needed. Apt's own index speeds it up.
apt_options=(-qq -o "APT::Sandbox::User=$(id -un)" -o "Dir::Cache=$work" -o Dir::Cache::pkgcache=packages.bin
  -o Dir::Cache::srcpkgcache=sources.bin -o Acquire::Retries=3)
lists_are_ours=
mkdir -p "$work"/{archives,lists}/partial "$work"/{sources,packages}

# Which of these the package lists have: writes $work/known.
look_up() {
  local -a names binaries sources
  local IFS=$' \n'
  read -rd '' -a names <<<"${*//|/ }" || true
  mapfile -t binaries < <(printf '%s\n' "${names[@]}" | grep -v '^src:')
  mapfile -t sources < <(printf '%s\n' "${names[@]}" | sed -n 's/^src://p')
  {
    # policy prints a paragraph per package it knows: "NAME:", "  Installed: ...", "  Candidate: VERSION or (none)"
    ((!${#binaries[@]})) || apt-cache "${apt_options[@]}" policy "${binaries[@]}" |
      awk '/^[^ ]/ {name = $1; sub(/:$/, "", name)} /Candidate:/ && $2 != "(none)" {print name}'
    # showsrc fails when a name is unknown, but prints the others.
    ((!${#sources[@]})) || { apt-cache "${apt_options[@]}" showsrc --only-source "${sources[@]}" 2>/dev/null || true; } |
      awk '/^Package:/ {print "src:" $2}'
  } >"$work/known"
}

# The package's name in this distribution; fails where it has none.
choose() { tr '|' '\n' <<<"$1" | grep -Fxm1 -f "$work/known"; }

# Package lists of our own: the system may have none (a fresh container), older ones than its mirror, or none of sources.
renew_lists() {
  local file one_line many_lines Dir_Etc_list Dir_Etc_parts
  eval "$(apt-config shell Dir_Etc_list Dir::Etc::sourcelist/f Dir_Etc_parts Dir::Etc::sourceparts/d)"
  # The same archives as the system's, with their sources.
  one_line='/^deb[ \t]/ {p; s/^deb/deb-src/; p}'
  many_lines='s/^Types:.*/Types: deb deb-src/'
  for file in "$Dir_Etc_list" "$Dir_Etc_parts"*.list; do
    [[ ! -e $file ]] || sed -n "$one_line" "$file" >"$work/sources/${file##*/}"
  done
  for file in "$Dir_Etc_parts"*.sources; do
    [[ ! -e $file ]] || sed "$many_lines" "$file" >"$work/sources/${file##*/}"
  done
  apt_options+=(-o "Dir::State::lists=$work/lists" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources")
  lists_are_ours=yes
  # Without a network apt-get update only warns, and finds no packages.
  apt-get "${apt_options[@]}" update
}

# Downloads a package unless this run has it; with new lists where the system's are older than its mirror.
download() {
  [[ ! -e $work/packages/$1 ]] || return 0
  download_by_these_lists "$1" || { [[ -z $lists_are_ours ]] && renew_lists && download_by_these_lists "$1"; }
}

# The newest version that can be had: a mirror may lack what it lists.
download_by_these_lists() {
  local place=$work/packages/$1 name=${1#src:} version versions how=(download) kind=Packages
  [[ $1 != src:* ]] || { how=(source --download-only --tar-only --only-source); kind=Sources; }
  # madison prints "NAME | VERSION | ARCHIVE ... Packages", newest first, and the same for sources.
  versions=$(apt-cache "${apt_options[@]}" madison "$name" | awk -v kind=$kind '$NF == kind {print $3}' | uniq)
  for version in $versions; do
    rm -rf "$place.part" && mkdir "$place.part"
    (cd "$place.part" && apt-get "${apt_options[@]}" "${how[@]}" "$name=$version") >/dev/null &&
      mv "$place.part" "$place" && return
  done
  return 1
}

# Unpacks a downloaded package into a folder.
unpack() {
  local file
  mkdir -p "$2"
  for file in "$work/packages/$1"/*; do
    if [[ $file == *.deb ]]; then dpkg-deb -x "$file" "$2"; else tar -xf "$file" -C "$2" --no-same-owner; fi || return 1
  done
}
