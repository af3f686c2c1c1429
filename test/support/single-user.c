/*
 * FRR's zebra and bfdd insist on the group frrvty and on setgroups(2). A private world has a single user and a single group, and its kernel
 * refuses setgroups. This library makes both calls succeed.
 */
#include <grp.h>
#include <sys/types.h>

struct group *getgrnam(const char *name) {
  static struct group only = {"root", "x", 0, 0};
  (void)name;
  return &only;
}

int setgroups(size_t count, const gid_t *groups) {
  (void)count;
  (void)groups;
  return 0;
}
