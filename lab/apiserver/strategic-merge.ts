/**
 * Strategic merge patch as kubectl sends it: a JSON merge patch that merges lists of objects by a key, with directives (`$patch`,
 * `$deleteFromPrimitiveList/…`, `$setElementOrder/…`, `$retainKeys`) for changes that a merge cannot express.
 */
type Json = unknown;
type JsonObject = Record<string, Json>;

/**
 * The lists of objects that a patch merges, with their merge keys. A patch replaces every other list of objects. The name of a list alone does not
 * tell its merge key: `ports` of a Service merge by `port`, `ports` of a container by `containerPort`. So each entry here also names the field that
 * encloses the list.
 */
const mergeKeys: Readonly<Record<string, string>> = {
  'spec.ports': 'port',
  'spec.containers': 'name',
  'spec.initContainers': 'name',
  'spec.volumes': 'name',
  'containers.ports': 'containerPort',
  'containers.env': 'name',
  'initContainers.ports': 'containerPort',
  'initContainers.env': 'name',
  'status.conditions': 'type',
  'status.addresses': 'type',
  'metadata.ownerReferences': 'uid',
  '.secrets': 'name',
};
const mergedPrimitives = new Set(['finalizers']);

/** `parent` is the name of the field that holds the target; empty for a whole object. */
export function strategicMerge(target: Json, patch: Json, parent = ''): Json {
  if (!isObject(patch)) return patch;
  if (patch.$patch === 'replace') return without(patch, '$patch');
  if (patch.$patch === 'delete') return undefined;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  if (Array.isArray(patch.$retainKeys))
    for (const key of Object.keys(result)) if (!patch.$retainKeys.includes(key)) delete result[key];
  for (const [key, value] of Object.entries(patch)) {
    const [, directive, of] = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.*)$/.exec(key) ?? [];
    if (directive === 'deleteFromPrimitiveList' && of !== undefined && Array.isArray(value)) {
      const now = result[of];
      if (Array.isArray(now)) result[of] = now.filter((item) => !value.includes(item));
    } else if (key.startsWith('$')) {
    } else if (value === null) {
      delete result[key];
    } else if (Array.isArray(value)) {
      result[key] = mergeList([parent, key], result[key], value, patch[`$setElementOrder/${key}`]);
    } else {
      const merged = strategicMerge(result[key], value, key);
      if (merged === undefined) delete result[key];
      else result[key] = merged;
    }
  }
  return result;
}

function mergeList(
  [parent, name]: readonly [parent: string, name: string],
  target: Json,
  patch: readonly Json[],
  order: Json,
): Json {
  const before = Array.isArray(target) ? target : [];
  const mergeKey = mergeKeys[`${parent}.${name}`];
  if (mergedPrimitives.has(name)) return [...new Set([...before, ...patch])];
  if (mergeKey === undefined || !patch.every((item) => isObject(item))) return patch;
  if (patch.some((item) => isObject(item) && item.$patch === 'replace'))
    return patch.filter((item) => !(isObject(item) && item.$patch === 'replace'));
  // A node may have two addresses of one type, one of each family. Then the type cannot be the key, and the patch replaces the list.
  if (
    name === 'addresses' &&
    new Set(patch.map((item) => (item as JsonObject)[mergeKey])).size < patch.length
  )
    return patch;
  const result = [...before];
  for (const item of patch as readonly JsonObject[]) {
    const index = result.findIndex((each) => isObject(each) && each[mergeKey] === item[mergeKey]);
    if (item.$patch === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = strategicMerge(result[index], item, name);
    else result.push(strategicMerge({}, item, name));
  }
  const placeIn = (list: readonly Json[], item: Json) =>
    list.findIndex((each) => isObject(each) && isObject(item) && each[mergeKey] === item[mergeKey]);
  if (Array.isArray(order)) return result.sort((a, b) => placeIn(order, a) - placeIn(order, b));
  return inOrder(result, { before, patch, placeIn });
}

/**
 * The order of a merged list for which the patch has no `$setElementOrder`: the items of the patch keep the order of the patch. An old item that the
 * patch lacks stands before an item of the patch if it stood before that item in the old list.
 */
function inOrder(
  merged: readonly Json[],
  lists: {
    readonly before: readonly Json[];
    readonly patch: readonly Json[];
    readonly placeIn: (list: readonly Json[], item: Json) => number;
  },
): readonly Json[] {
  const { before, patch, placeIn } = lists;
  const old = merged.filter((item) => placeIn(patch, item) < 0);
  const patched = merged
    .filter((item) => placeIn(patch, item) >= 0)
    .sort((a, b) => placeIn(patch, a) - placeIn(patch, b));
  const result: Json[] = [];
  for (const item of patched) {
    const place = placeIn(before, item);
    while (place >= 0 && old.length > 0 && placeIn(before, old[0]) < place) result.push(old.shift());
    result.push(item);
  }
  return [...result, ...old];
}

/** Applies a JSON merge patch (RFC 7396). */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function without(object: JsonObject, key: string): JsonObject {
  const { [key]: _, ...rest } = object;
  return rest;
}
