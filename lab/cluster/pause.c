/* The first process of every Pod of the cluster. It keeps the Pod's network namespace until it gets SIGINT or SIGTERM. */
#include <signal.h>
#include <unistd.h>

int main(void) {
  sigset_t ending;
  int received;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, NULL);
  /* With SIGCHLD ignored, the kernel reaps the processes that lose their parents and become children of this process. */
  signal(SIGCHLD, SIG_IGN);
  sigwait(&ending, &received);
  return 0;
}
