/**
 * Install, upgrade, rollback and uninstall of the Helm chart with Kubernetes' own API server. `make kubernetes` builds the API server, and
 * `make chart-test` names the folder of its programs in BELLMAN_KUBERNETES.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root } from '../../scripts/target.ts';
import {
  acceptedConfigMapName,
  annotations,
  configMapName,
  defaultNamespace,
  membershipSecretName,
} from '../../src/cluster/names.ts';
import { eventually } from '../support/eventually.ts';

const helmProgram = process.env.HELM ?? 'helm';
const programs = process.env.BELLMAN_KUBERNETES ?? '';
const chart = join(root, 'manifests/chart');
const skip =
  !existsSync(join(programs, 'kube-apiserver')) && 'lab/kubernetes/build.sh has not built Kubernetes yet';

const etcdUrl = 'http://127.0.0.1:2379';
const token = 'of-a-user-who-may-do-everything';

let scratch = '';
const servers: ChildProcess[] = [];

function start(program: string, ...args: string[]): void {
  servers.push(spawn(join(programs, program), args, { stdio: 'ignore' }));
}

function run(command: string, args: readonly string[]) {
  const env = { ...process.env, HOME: scratch, KUBECONFIG: join(scratch, 'kubeconfig') };
  return spawnSync(command, args, { encoding: 'utf8', env });
}

function kubectl(...args: string[]): string {
  const { status, stdout, stderr } = run(join(programs, 'kubectl'), [
    '--namespace',
    defaultNamespace,
    ...args,
  ]);
  assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function helm(...args: string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = run(helmProgram, [...args, '--namespace', defaultNamespace]);
  return { ok: status === 0, output: stdout + stderr };
}

function helmSucceeds(...args: string[]): void {
  const { ok, output } = helm(...args);
  assert.ok(ok, output);
}

/** A file with a configuration whose peer has this AS number. */
function configFile(peerAsn: number): string {
  const file = join(scratch, `config-${peerAsn}.yaml`);
  writeFileSync(file, `peers:\n- my-asn: 64512\n  peer-asn: ${peerAsn}\n  peer-address: 10.0.0.1\n`);
  return file;
}

function config(): { readonly text: string; readonly annotations: Readonly<Record<string, string>> } {
  const { data, metadata } = JSON.parse(kubectl('get', 'configmap', configMapName, '--output=json')) as {
    data: { config: string };
    metadata: { annotations?: Record<string, string> };
  };
  return { text: data.config, annotations: metadata.annotations ?? {} };
}

const names = () => kubectl('get', 'deployments,daemonsets,configmaps,secrets', '--output=name').split('\n');

/** The objects that the controller writes must be there after each step. */
function assertNothingIsLost(): void {
  const present = names();
  assert.ok(present.includes(`secret/${membershipSecretName}`));
  assert.ok(present.includes(`configmap/${acceptedConfigMapName}`));
  assert.equal(config().annotations[annotations.acceptedConfig], 'accepted');
}

describe('the life of a release', { concurrency: false, skip }, () => {
  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'bellman-lifecycle-'));
    const path = (name: string) => join(scratch, name);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(path('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(path('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(path('tokens.csv'), `${token},admin,admin,"system:masters"\n`);
    start(
      'etcd',
      ...[`--data-dir=${path('etcd')}`, '--unsafe-no-fsync', '--listen-peer-urls=http://127.0.0.1:2380'],
      ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
    );
    start(
      'kube-apiserver',
      ...[`--etcd-servers=${etcdUrl}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1'],
      ...['--secure-port=6443', `--cert-dir=${path('certificates')}`, '--endpoint-reconciler-type=none'],
      ...[
        '--service-account-issuer=https://kubernetes.default.svc',
        '--service-cluster-ip-range=10.96.0.0/16',
      ],
      ...[`--service-account-key-file=${path('sa.pub')}`, `--token-auth-file=${path('tokens.csv')}`],
      ...[`--service-account-signing-key-file=${path('sa.key')}`, '--authorization-mode=RBAC'],
    );
    // JSON is YAML too.
    const cluster = { server: 'https://127.0.0.1:6443', 'insecure-skip-tls-verify': true };
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'cluster', cluster }],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
      'current-context': 'context',
    };
    writeFileSync(path('kubeconfig'), JSON.stringify(kubeconfig));
    await eventually(
      'the API server is ready',
      () => run(join(programs, 'kubectl'), ['get', '--raw', '/readyz']).status === 0,
    );
  });
  after(async () => {
    for (const server of servers) {
      if (server.exitCode !== null) continue;
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGKILL');
      await ended;
    }
    rmSync(scratch, { recursive: true, force: true });
  });

  test('helm install makes all objects, and the roles let the controller write what it has to', () => {
    helmSucceeds('install', 'bellman', chart, '--create-namespace', `--set-file=config=${configFile(64500)}`);
    const controller = `--as=system:serviceaccount:${defaultNamespace}:controller`;
    kubectl('create', 'secret', 'generic', membershipSecretName, '--from-literal=keys=key', controller);
    kubectl('create', 'configmap', acceptedConfigMapName, '--from-literal=config=copy', controller);
    kubectl('annotate', 'configmap', configMapName, `${annotations.acceptedConfig}=accepted`, controller);
    assertNothingIsLost();
  });

  test('the policies of the chart let only the controller write its annotations', async () => {
    const annotate = `${annotations.configStatus}=written-by-hand`;
    await eventually('the policy is in force', () => {
      const args = ['annotate', '--overwrite', 'configmap', configMapName, annotate];
      const { status, stderr } = run(join(programs, 'kubectl'), [
        '--namespace',
        defaultNamespace,
        ...args,
        '--dry-run=server',
      ]);
      return status !== 0 && stderr.includes('only the controller may set');
    });
  });

  test('helm upgrade changes what was asked for, and keeps what the controller wrote', () => {
    helmSucceeds(
      ...['upgrade', 'bellman', chart, '--reset-then-reuse-values'],
      ...['--set=controller.replicas=3', `--set-file=config=${configFile(64501)}`],
    );
    assert.match(config().text, /64501/);
    assert.equal(kubectl('get', 'deployment', 'controller', '--output=jsonpath={.spec.replicas}'), '3');
    assertNothingIsLost();
  });

  test('helm upgrade overwrites an edit of the ConfigMap only with --force-conflicts', () => {
    kubectl(
      'patch',
      'configmap',
      configMapName,
      '--type=merge',
      '--patch={"data":{"config":"peers: []\\n"}}',
    );
    const upgrade = ['upgrade', 'bellman', chart, '--reset-then-reuse-values'];
    const { ok, output } = helm(...upgrade, `--set-file=config=${configFile(64502)}`);
    assert.ok(!ok, output);
    assert.match(output, /conflict/);
    assert.equal(config().text, 'peers: []\n');
    helmSucceeds(...upgrade, `--set-file=config=${configFile(64502)}`, '--force-conflicts');
    assert.match(config().text, /64502/);
    assertNothingIsLost();
  });

  test('helm rollback brings the first release back', () => {
    helmSucceeds('rollback', 'bellman', '1');
    assert.match(config().text, /64500/);
    assert.equal(kubectl('get', 'deployment', 'controller', '--output=jsonpath={.spec.replicas}'), '2');
    assertNothingIsLost();
  });

  test('helm uninstall keeps the configuration and the membership keys, and a new install uses them', () => {
    helmSucceeds('uninstall', 'bellman');
    assert.ok(!names().some((name) => /^(deployment|daemonset)/.test(name)));
    assert.match(config().text, /64500/);
    assertNothingIsLost();
    helmSucceeds('install', 'bellman', chart, `--set-file=config=${configFile(64500)}`);
    assert.ok(names().includes('deployment.apps/controller'));
    assertNothingIsLost();
  });

  test('Helm takes over what kubectl apply -k installed', () => {
    helmSucceeds('uninstall', 'bellman');
    kubectl('apply', '--kustomize', join(root, 'manifests'));
    const { ok, output } = helm('install', 'bellman', chart);
    assert.ok(!ok);
    assert.match(output, /exists and cannot be imported/);
    helmSucceeds('install', 'bellman', chart, '--take-ownership', '--force-conflicts');
    // kubectl remains an owner of the fields that it wrote, so the upgrade needs --force-conflicts too.
    helmSucceeds('upgrade', 'bellman', chart, '--set=speaker.passivePeers=true', '--force-conflicts');
    assert.match(kubectl('get', 'daemonset', 'speaker', '--output=yaml'), /NET_BIND_SERVICE/);
    assertNothingIsLost();
  });
});
