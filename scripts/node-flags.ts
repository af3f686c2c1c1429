/**
 * The flags with which the shipped program starts Node. The last step of the build compiles the code with the same flags, because V8 refuses code
 * that was compiled with other flags.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=1'];
