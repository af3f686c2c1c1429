/**
 * The names of interfaces that a regular expression lists, such as `eth0`, `^eth0$` or `^(eth0|bond0\.100)$`. Returns `undefined` for a real
 * pattern, such as `eth[0-9]`. An expression without anchors also matches longer names: `eth0` matches `eth01`. The longer names are left out,
 * because authors seldom mean them.
 */
export function literalNames(pattern: string): string[] | undefined {
  const [, bare = pattern] = /^\^?(.*?)\$?$/.exec(pattern) ?? [];
  const [, inner = bare] = /^\((?:\?:)?([^()]*)\)$/.exec(bare) ?? [];
  const names = inner.split('|').map((name) => name.trim());
  // In bond0.100 the author means a dot, although a dot that is not escaped matches any character.
  const isLiteral = names.every((name) => /^(?:[A-Za-z0-9_:@-]|\.(?![*+?])|\\\.)+$/.test(name));
  return isLiteral ? names.map((name) => name.replaceAll('\\.', '.')) : undefined;
}
