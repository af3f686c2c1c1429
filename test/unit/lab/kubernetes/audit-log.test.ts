import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditLog } from '../../../../lab/kubernetes/audit-log.ts';

test('AuditLog returns each event once, and waits for the rest of a line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-audit-'));
  try {
    const path = join(folder, 'log');
    writeFileSync(path, '{"verb":"get"}\n{"verb":');
    const log = new AuditLog(path);
    const verbs = () => log.read().map(({ verb }) => verb);
    assert.deepEqual(verbs(), ['get']);
    assert.deepEqual(verbs(), []);
    appendFileSync(path, '"list"}\n');
    assert.deepEqual(verbs(), ['list']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
