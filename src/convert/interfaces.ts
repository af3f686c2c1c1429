/**
 * The names that a regular expression for interfaces matches, when they can be listed: `eth0`, `^eth0$`, `^(eth0|bond0\.100)$`. Returns
 * `undefined` for a real pattern. An expression without anchors also matches longer names, but its author seldom means them.
 */
export function literalNames(pattern: string): string[] | undefined {
  const [, bare = pattern] = /^\^?(.*?)\$?$/.exec(pattern) ?? [];
  const [, inner = bare] = /^\((?:\?:)?([^()]*)\)$/.exec(bare) ?? [];
  const names = inner.split('|').map((name) => name.trim());
  // A dot that is not escaped matches any character, but a name like bond0.100 means itself.
  const isLiteral = names.every((name) => /^(?:[A-Za-z0-9_:@-]|\.(?![*+?])|\\\.)+$/.test(name));
  return isLiteral ? names.map((name) => name.replaceAll('\\.', '.')) : undefined;
}
