/** An error response: a Status object of the API. */
export class ApiProblem extends Error {
  readonly code: number;
  /** Absent when the Status of Kubernetes has no reason. */
  readonly reason: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(
    code: number,
    reason: string | undefined,
    message: string,
    details: Record<string, unknown> = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): object {
    const { code, reason, message, details } = this;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      details,
      code,
    };
  }
}

export function notFound(plural: string, name: string): ApiProblem {
  return new ApiProblem(404, 'NotFound', `${plural} "${name}" not found`, { name, kind: plural });
}
