/** Installs the npm packages for another architecture, and builds their addons with a cross compiler. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { modulesFolder, root, type Target, tool } from '../target.ts';
import { fetchPackages, run } from './debian.ts';

/** Does nothing when the packages of this package-lock.json are already installed. `cache` is a folder for downloaded Debian packages. */
export function prepareModules(target: Target, cache: string): void {
  const modules = modulesFolder(target);
  const folder = dirname(modules);
  const stamp = join(folder, 'stamp');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(folder, file));
  const npm = ['--no-audit', '--no-fund', '--loglevel=error'];
  run(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', `--cpu=${target.arch}`, '--os=linux', '--libc=glibc', ...npm],
    folder,
  );
  const sysroot = join(cache, 'sysroot');
  rmSync(sysroot, { recursive: true, force: true });
  for (const each of fetchPackages(target, ['libpcap0.8', 'libpcap0.8-dev'], cache))
    cpSync(each.folder, sysroot, { recursive: true, verbatimSymlinks: true });
  const env = {
    ...process.env,
    npm_config_arch: target.arch,
    npm_config_nodedir: join(modules, `node-linux-${target.arch}`),
    CC: tool(target, 'gcc'),
    CXX: tool(target, 'g++'),
    CXXFLAGS: `-I${join(sysroot, 'usr/include')}`,
    LDFLAGS: `-L${join(sysroot, 'usr/lib', target.triplet)}`,
  };
  run('npm', ['rebuild', '--ignore-scripts=false', ...npm, 'pcap', 'raw-socket'], folder, env);
  writeFileSync(stamp, lock);
}
