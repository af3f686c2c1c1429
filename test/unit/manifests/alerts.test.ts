/** Checks the alerts without Prometheus. `test/monitoring` evaluates them in Prometheus. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { allMetrics } from '../../../scripts/reference/metrics.ts';
import { root } from '../../../scripts/target.ts';
import { shippedAlerts } from '../../monitoring/shipped-alerts.ts';

const rules = shippedAlerts().groups.flatMap((group) => group.rules);
const page = 'docs/guides/runbooks.md';
const sections = [...readFileSync(join(root, page), 'utf8').matchAll(/^## (.*)$/gm)].map(
  ([, title]) => title,
);

test('each alert has a section in the runbooks, and each section an alert', () => {
  assert.deepEqual(
    sections,
    rules.map(({ alert }) => alert),
  );
});

test('each alert has a unique name, a severity, and a runbook_url that leads to its section', () => {
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, labels, annotations } of rules) {
    assert.match(alert, /^Bellman([A-Z][a-z]+)+$/);
    assert.match(labels.severity, /^(critical|warning|info)$/, alert);
    assert.equal(annotations.runbook_url, `${page}#${alert.toLowerCase()}`);
    assert.doesNotMatch(annotations.summary, /\{\{/, `${alert}: the summary is a fixed text`);
  }
});

test('an alert that counts nodes counts two Pods of one node once', () => {
  for (const { alert, expr, annotations } of rules)
    if (/\$value \}\} nodes/.test(annotations.description))
      assert.match(expr, /group by \([^)]*\bnode\b/, alert);
});

test('alerts use metrics that exist', () => {
  const known = new Set(allMetrics().map(({ name }) => name));
  for (const { alert, expr } of rules) {
    const used = expr.match(/\bbellman_\w+/g) ?? [];
    assert.ok(used.length > 0, alert);
    for (const name of used) assert.ok(known.has(name), `${alert} uses ${name}`);
  }
});
