/** What went wrong, and what to do. */
import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { asApiError } from "../api/client";
import { sentence, visible } from "./format";

export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const facts = asApiError(error);
  return (
    <Alert role="alert" color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={sentence(visible(facts.message))}>
      {facts.hint && <Text size="sm">{sentence(visible(facts.hint))}</Text>}
      {onRetry && (
        <Button size="xs" mt="xs" variant="outline" color="red" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}
