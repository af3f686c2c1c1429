import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

export interface RulesFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

export const alertsPath = fileURLToPath(new URL('../../manifests/monitoring/alerts.yaml', import.meta.url));

export function shippedAlerts(): RulesFile {
  return load(readFileSync(alertsPath, 'utf8')) as RulesFile;
}
