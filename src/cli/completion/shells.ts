/** The programs that read a completion. kubectl passes it on to the shell in which it runs. */
export const shells = ['bash', 'zsh', 'fish', 'kubectl'] as const;
export type Shell = (typeof shells)[number];
