/**
 * Writes images in the OCI layout (OCI Image Format Specification 1.0), and as the archives that `docker load` and `ctr images import` read. GNU tar
 * and gzip make the layers. The output of both depends only on the files, so the same files have the same digest on every machine. Other tools do not
 * fit: umoci and skopeo cannot write an image for several architectures, and the digests of buildah change with its version.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Target } from '../target.ts';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Layer extends Descriptor {
  /** Digest of the tar before compression. */
  readonly diffId: string;
}

/** The files of a layer: those below `paths`, except those below `without`, which are in other layers. All paths begin at the image's root. */
export interface LayerPaths {
  readonly paths: readonly string[];
  readonly without: readonly string[];
}

export interface ImageSettings {
  /** Name and tag, for instance `bellman:0.1.0`. */
  readonly reference: string;
  /** Seconds since 1970. */
  readonly createdSeconds: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  /** The arguments of the entry point; none by default. */
  readonly command?: readonly string[];
  /** The level of gzip, 1 to 9; 9 by default. */
  readonly compression?: number;
}

export interface WrittenImage {
  readonly target: Target;
  readonly manifest: Descriptor;
  readonly compressedOctets: number;
}

/** Writes one OCI layout, which stores its blobs by digest. */
export class OciLayout {
  readonly #folder: string;
  readonly #settings: ImageSettings;

  /** Replaces `folder`. */
  constructor(folder: string, settings: ImageSettings) {
    this.#folder = folder;
    this.#settings = settings;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  }

  /** Adds the image of one architecture. `root` is the folder that holds the root directory of the image. */
  addImage(target: Target, root: string, layers: readonly LayerPaths[]): WrittenImage {
    const { createdSeconds, labels, user, entrypoint, command } = this.#settings;
    const created = new Date(createdSeconds * 1000).toISOString();
    const written = layers.map((layer) => this.#addLayer(root, layer));
    const config = this.#addJson('application/vnd.oci.image.config.v1+json', {
      created,
      architecture: target.debian,
      os: 'linux',
      config: {
        User: user,
        Env: ['PATH=/usr/bin'],
        Entrypoint: entrypoint,
        ...(command && { Cmd: command }),
        WorkingDir: '/',
        Labels: labels,
      },
      rootfs: { type: 'layers', diff_ids: written.map(({ diffId }) => diffId) },
      history: written.map(() => ({ created, created_by: 'make image' })),
    });
    const manifest = this.#addJson('application/vnd.oci.image.manifest.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers: written.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
      annotations: labels,
    });
    const compressedOctets = written.reduce((total, { size }) => total + size, 0);
    return { target, manifest, compressedOctets };
  }

  /** Writes the index of all images, and returns its digest. */
  finish(images: readonly WrittenImage[]): string {
    const index = this.#addJson('application/vnd.oci.image.index.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: images.map(({ target, manifest }) => ({
        ...manifest,
        platform: { architecture: target.debian, os: 'linux' },
      })),
    });
    const tag = this.#settings.reference.replace(/^.*:/, '');
    const annotations = { 'org.opencontainers.image.ref.name': tag };
    this.#write('index.json', { schemaVersion: 2, manifests: [{ ...index, annotations }] });
    this.#write('oci-layout', { imageLayoutVersion: '1.0.0' });
    return index.digest;
  }

  /** Writes one image as an archive in Docker's format. Its layers stay compressed. */
  writeArchive({ manifest }: WrittenImage, file: string): void {
    const { config, layers } = JSON.parse(readFileSync(this.#blob(manifest.digest), 'utf8')) as {
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    };
    const folder = mkdtempSync(join(tmpdir(), 'bellman-archive-'));
    try {
      const add = ({ digest }: Descriptor, suffix: string) => {
        const name = `${digest.replace('sha256:', '')}${suffix}`;
        copyFileSync(this.#blob(digest), join(folder, name));
        return name;
      };
      const entry = {
        Config: add(config, '.json'),
        RepoTags: [this.#settings.reference],
        Layers: layers.map((layer) => add(layer, '.tar.gz')),
      };
      writeFileSync(join(folder, 'manifest.json'), JSON.stringify([entry]));
      const paths = [...entry.Layers, entry.Config, 'manifest.json'];
      tar(folder, { paths, without: [] }, this.#settings.createdSeconds, file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  #addLayer(root: string, layer: LayerPaths): Layer {
    const folder = mkdtempSync(join(tmpdir(), 'bellman-layer-'));
    try {
      const file = join(folder, 'layer.tar');
      tar(root, layer, this.#settings.createdSeconds, file);
      execFileSync('gzip', ['--no-name', `-${this.#settings.compression ?? 9}`, file]);
      const compressed = readFileSync(`${file}.gz`);
      const descriptor = this.#add('application/vnd.oci.image.layer.v1.tar+gzip', compressed);
      return { ...descriptor, diffId: digestOf(gunzipSync(compressed)) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  #addJson(mediaType: string, value: object): Descriptor {
    return this.#add(mediaType, Buffer.from(JSON.stringify(value)));
  }

  #add(mediaType: string, octets: Buffer): Descriptor {
    const digest = digestOf(octets);
    writeFileSync(this.#blob(digest), octets);
    return { mediaType, digest, size: octets.length };
  }

  #blob(digest: string): string {
    return join(this.#folder, 'blobs', digest.replace(':', '/'));
  }

  #write(name: string, value: object): void {
    writeFileSync(join(this.#folder, name), JSON.stringify(value));
  }
}

function digestOf(octets: Buffer): string {
  return `sha256:${createHash('sha256').update(octets).digest('hex')}`;
}

/** Makes a tar that is the same on every machine: owners, times, modes and the order of files are fixed. */
function tar(root: string, { paths, without }: LayerPaths, mtimeSeconds: number, file: string): void {
  const below = (path: string) => relative('/', join('/', path));
  execFileSync('tar', [
    ...['--create', '--format=ustar', '--sort=name', `--mtime=@${mtimeSeconds}`],
    ...['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'],
    ...['--anchored', ...without.map((path) => `--exclude=${below(path)}`)],
    ...[`--file=${file}`, `--directory=${root}`, ...paths.map(below)],
  ]);
}
