/** The query, with its variables replaced as by Grafana when everything is selected. */
export function withValues(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$\w+/g, '.*');
}
