/*
 * Starts the program that `scripts/build.ts` wrote, with the flags and variables of docs/design/footprint.md. This is not a shell script, so
 * that an image needs no shell. The build defines FLAGS as a list of C strings, each followed by a comma.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char *const flags[] = {FLAGS};
enum { flag_count = sizeof flags / sizeof flags[0] };

static void fail(const char *what) {
  fprintf(stderr, "bellman: cannot start: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Returns the path of a file below the program's folder. */
static char *below(const char *folder, const char *file) {
  char *path;
  if (asprintf(&path, "%s/%s", folder, file) < 0) fail("memory");
  return path;
}

/* The daemons have programs of their own, which start sooner than the program with all commands. */
static const char *program_of(const char *command) {
  if (command != NULL && strcmp(command, "speaker") == 0) return "app/speaker.js";
  if (command != NULL && strcmp(command, "controller") == 0) return "app/controller.js";
  return "app/bellman.js";
}

int main(int argc, char **argv) {
  /* AT_EXECFN is the path that was executed. Unlike /proc/self/exe, it needs no /proc. */
  const char *executed = (const char *)getauxval(AT_EXECFN);
  char folder[PATH_MAX];
  if (executed == NULL || realpath(executed, folder) == NULL) fail("the program's own path");
  *strrchr(folder, '/') = '\0';

  /*
   * Without MALLOC_ARENA_MAX, glibc keeps memory for each thread that allocates. The user may override MALLOC_ARENA_MAX and NODE_COMPILE_CACHE.
   * NODE_COMPILE_CACHE_PORTABLE always has the value that the build uses, because Node finds compiled code only with the same value.
   */
  if (setenv("MALLOC_ARENA_MAX", "1", 0) != 0 || setenv("NODE_COMPILE_CACHE", below(folder, "compiled"), 0) != 0 ||
      setenv("NODE_COMPILE_CACHE_PORTABLE", "1", 1) != 0)
    fail("environment");

  char **arguments = calloc(flag_count + argc + 2, sizeof *arguments);
  if (arguments == NULL) fail("memory");
  char *node = below(folder, "bin/node");
  char **next = arguments;
  *next++ = node;
  for (size_t index = 0; index < flag_count; index++) *next++ = (char *)flags[index];
  *next++ = below(folder, program_of(argc > 1 ? argv[1] : NULL));
  for (int index = 1; index < argc; index++) *next++ = argv[index];
  execv(node, arguments);
  fail(node);
}
