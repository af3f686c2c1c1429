# shellcheck shell=sh
# Functions for the scripts that build programs from Go modules. Such a script sources this file, defines `say`, and sets:
#   folder   where the finished programs go
#   flags    the flags of the linker
# The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or its modules cannot be downloaded, and 1 when a build fails.
readonly unavailable=69

# Finds or installs Go. The argument is the path of `scripts`.
go_prepare() {
  go=$("$1/go.sh") || exit $unavailable
  # The Makefile sets XDG_CACHE_HOME to a folder of the clone. Go's cache of compiled packages must lie outside the clone, because otherwise the next
  # clone would compile all packages again.
  unset XDG_CACHE_HOME GOFLAGS
  export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly
}

# go_download NAME downloads the modules of the go.mod in the working directory. The error message calls them "the modules of NAME".
go_download() {
  "$go" mod download >/dev/null 2>"$folder/.download.log" || {
    tail -5 "$folder/.download.log" >&2
    say "Go cannot download the modules of $1 (see above)"
    exit $unavailable
  }
  rm -f "$folder/.download.log"
}

# go_build PROGRAM PACKAGE VERB [OPTION…] builds PACKAGE as the file PROGRAM in the folder. VERB is Go's command: `build`, or `test` with -c. For
# example: go_build helm helm.sh/helm/v4/cmd/helm build
go_build() {
  program=$1 package=$2
  shift 2
  "$go" "$@" -trimpath -ldflags "$flags" -o "$folder/.$program.new" "$package" >&2 || {
    rm -f "$folder/.$program.new"
    say "building $program failed (see above)"
    exit 1
  }
  # The file gets the name PROGRAM only now, so that an interrupted build leaves no incomplete program.
  mv "$folder/.$program.new" "$folder/$program"
}

# kubernetes_flags VERSION prints the flags of the linker for a program of Kubernetes. VERSION is, for example, v1.35.0. Without these flags, the
# program calls itself v0.0.0.
kubernetes_flags() {
  rest=${1#v}
  minor=${rest#*.}
  printf %s '-s -w'
  for variables in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf %s " -X $variables.gitVersion=$1 -X $variables.gitMajor=${rest%%.*} -X $variables.gitMinor=${minor%%.*}"
  done
}
