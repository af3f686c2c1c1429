/**
 * The names of interfaces that a regular expression lists, such as `eth0`, `^eth0$` or `^(eth0|bond0\.100)$`. Returns `undefined` for a real
 * pattern. An expression without anchors also matches longer names. Those are ignored, because its author seldom means them.
 */
export function literalNames(pattern: string): string[] | undefined {
  const [, bare = pattern] = /^\^?(.*?)\$?$/.exec(pattern) ?? [];
  const [, inner = bare] = /^\((?:\?:)?([^()]*)\)$/.exec(bare) ?? [];
  const names = inner.split('|').map((name) => name.trim());
  // In bond0.100 the author means a dot, although a dot that is not escaped matches any character.
  const isLiteral = names.every((name) => /^(?:[A-Za-z0-9_:@-]|\.(?![*+?])|\\\.)+$/.test(name));
  return isLiteral ? names.map((name) => name.replaceAll('\\.', '.')) : undefined;
}
