import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseIp } from '../address/index.ts';
import { annotations } from '../cluster/names.ts';
import type { AssignedAddress } from '../config/index.ts';
import { runValidate } from '../config/validate.ts';
import { connect } from '../kubernetes/client.ts';
import { decodeService } from '../kubernetes/decode.ts';
import { objectKey } from '../kubernetes/model.ts';
import type { RawObject } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';

/**
 * `bellman validate`: judges the files and, when it is given a kubeconfig, also whether they would orphan addresses that are assigned in
 * that cluster. Returns the exit code: 0 valid, 1 not valid, 2 could not run.
 */
export async function validateFiles(
  files: readonly string[],
  flags: { readonly kubeconfig?: string },
): Promise<0 | 1 | 2> {
  const assigned = flags.kubeconfig === undefined ? undefined : await assignedAddresses(flags.kubeconfig);
  return runValidate(files, {
    stdin: () => text(process.stdin),
    readFile: (path) => readFile(path, 'utf8'),
    stdout: (line) => void process.stdout.write(line),
    stderr: (line) => void process.stderr.write(line),
    ...(assigned === undefined ? {} : { assigned }),
  });
}

/** Addresses that Bellman gave, by the annotation that it alone writes. */
async function assignedAddresses(kubeconfig: string): Promise<AssignedAddress[]> {
  const client = connect(kubeconfig, 'bellman-validate');
  try {
    const { items } = await client.request<{ items: RawObject[] }>({
      method: 'GET',
      path: paths.services,
      timeoutMs: 60_000,
    });
    return items
      .map(decodeService)
      .filter(
        (service) => service.type === 'LoadBalancer' && service.annotations[annotations.pool] !== undefined,
      )
      .flatMap((service) =>
        service.ingress.flatMap(({ ip }) => {
          const address = parseIp(ip);
          return address ? [{ service: objectKey(service), address }] : [];
        }),
      );
  } finally {
    client.close();
  }
}
