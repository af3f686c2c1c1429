/** A change of a member's state, for the flight recorder. Pings leave no event. */
export type MembershipEvent =
  | { readonly kind: 'joined'; readonly member: string; readonly incarnation: number }
  /** The members in `confirmedBy` had failed to reach the suspect before this node suspected it. */
  | { readonly kind: 'suspected'; readonly member: string; readonly confirmedBy: readonly string[] }
  | { readonly kind: 'refuted'; readonly member: string; readonly incarnation: number }
  | {
      readonly kind: 'dead' | 'left';
      readonly member: string;
      readonly incarnation: number;
      readonly silentMs: number;
    };
