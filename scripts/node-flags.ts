/**
 * The flags with which the shipped program starts Node. V8 refuses code that was compiled with other flags, so the launcher and the last step
 * of the build share them.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=1'];
