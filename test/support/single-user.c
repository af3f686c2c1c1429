/*
 * FRR's zebra and bfdd insist on the group frrvty and on setgroups(2). A private world has a single user and a single group, and the kernel
 * refuses setgroups there. With this library, setgroups succeeds, and so does every look-up of a group.
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
