/** The programs that use a completion. kubectl runs `kubectl_complete-bellman`, and passes the candidates on to the shell of the user. */
export const shells = ['bash', 'zsh', 'fish', 'kubectl'] as const;
export type Shell = (typeof shells)[number];
