/** The query, with its variables replaced as Grafana replaces them when everything is selected. */
export function withValues(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$\w+/g, '.*');
}
