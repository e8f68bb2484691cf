/**
 * In place of a screen that failed: what happened, and a way on; everything around it goes on. A screen whose code did not arrive comes by
 * itself when the Master answers again (or has a newer console); what is not saved survives that.
 */
import { Component, type ReactNode, useEffect } from "react";
import { ApiError } from "../api/client";
import { useLive } from "../live/store";
import { Page } from "../parts/Page";
import { Problem } from "../parts/Problem";

interface MishapProps {
  /** The address; another one is another try. */
  at: string;
  children: ReactNode;
}

export class Mishap extends Component<MishapProps, { error: unknown; at: string }> {
  override state = { error: null as unknown, at: this.props.at };

  static getDerivedStateFromError(error: unknown) {
    return { error: error ?? new Error("unknown") };
  }

  static getDerivedStateFromProps({ at }: MishapProps, state: { error: unknown; at: string }) {
    return at === state.at ? null : { error: null, at };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    if (isMissing(error)) return <Missing />;
    return (
      <Page title="This screen has a fault">
        <Problem error={fault(error)} onRetry={() => this.setState({ error: null })} />
      </Page>
    );
  }
}

/** As browsers and the build say that a part of the page could not be had. */
const isMissing = (error: unknown): boolean => error instanceof Error && /imported module|module script|preload CSS/i.test(error.message);

const fault = (error: unknown): ApiError =>
  new ApiError(
    {
      code: "internal",
      message: "The console could not show this.",
      hint: `Nothing of yours is lost, and the rest of the console goes on. If it happens again, tell us what you did and this: ${String(error)}`,
      retryable: true,
      context: {},
    },
    0,
  );

const RELOADED = "holdfast-reloaded-at";
const NOT_AGAIN_MS = 60_000;

function Missing() {
  const isLive = useLive((live) => live.connection === "live");
  useEffect(() => {
    if (isLive && Date.now() - Number(sessionStorage.getItem(RELOADED)) > NOT_AGAIN_MS) reload();
  }, [isLive]);
  const facts = {
    code: "not-reachable",
    message: "This screen did not arrive.",
    hint: "It comes by itself when the Master answers again. What you have not saved stays.",
    retryable: true,
    context: {},
  };
  return (
    <Page title="Not here yet">
      <Problem error={new ApiError(facts, 0)} onRetry={reload} />
    </Page>
  );
}

function reload(): void {
  sessionStorage.setItem(RELOADED, String(Date.now()));
  window.location.reload();
}
