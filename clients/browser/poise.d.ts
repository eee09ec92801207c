/** How to reach the server, and when to send. */
export interface Options {
  /** Where the server is, such as "https://recommend.example.com". */
  url: string;
  /** Who visits the page; may be set later. */
  userId?: string | null;
  /** A key with the scope "write", for events. Whoever sees the page can read it. */
  writeKey?: string | null;
  /** A key with the scope "read", for recommendations. Whoever sees the page can read it. */
  readKey?: string | null;
  /** Events that are sent together; 20 by default. */
  size?: number;
  /** Seconds that an event waits for others; 5 by default. */
  seconds?: number;
  /** Milliseconds that recommend() waits; 1000 by default. */
  timeout?: number;
}

/** Somebody did something with an item. The time is that of arrival, as clocks of visitors are often wrong. */
export interface Event {
  item_id: string;
  /** What they did; "view" by default. */
  behaviour?: string;
  user_id?: string;
  value?: number;
  /** Milliseconds since 1970, or RFC 3339. */
  timestamp?: number | string;
  event_id?: string;
  /** Of the slate that the item was shown in. */
  request_id?: string;
  context?: Record<string, string | number | boolean | null>;
}

/** What an item must be like, by a column of the catalogue. */
export interface Filter {
  column: string;
  in?: (string | number | boolean)[];
  not_in?: (string | number | boolean)[];
  min?: number;
  max?: number;
}

export interface RecommendationRequest {
  user_id?: string;
  /** What a visitor without an id did, oldest first: ids of items, or more. */
  history?: (string | { item_id: string; behaviour?: string; value?: number; timestamp?: number | string })[];
  k?: number;
  scenario?: string;
  context?: Record<string, string | number | boolean | null>;
  candidates?: string[];
  filters?: Filter[];
  exclude?: string[];
  offset?: number;
  /** Of the first page, if this is a further one. */
  request_id?: string;
  explain?: boolean;
  /** Milliseconds, if not as for all requests. */
  timeout?: number;
}

export interface Reason {
  kind: string;
  share: number;
  text: string;
}

export interface RecommendedItem {
  item_id: string;
  title?: string;
  score: number;
  probability: number;
  reasons?: Reason[];
}

export interface Slate {
  request_id: string;
  run: string;
  model: string;
  stage: "ranker" | "retrieval" | "popular" | "cached";
  items: RecommendedItem[];
}

export class Poise {
  constructor(options: Options);
  userId: string | null;
  /** How many events were dropped because too many waited. */
  readonly dropped: number;
  /** Takes in an event to be sent soon, and returns its id. */
  send(event: Event): string;
  /** Sends a click on an item of a slate, so that it is known to come from it. */
  click(slate: Slate, itemId: string, more?: Partial<Event>): string;
  /** Sends what waits now. Never rejects: what is not taken goes on waiting. */
  flush(): Promise<void>;
  /** Rejects when the time is over, or with what the server says. */
  recommend(request?: RecommendationRequest): Promise<Slate>;
  /** Sends what waits and listens no more. */
  close(): void;
}
