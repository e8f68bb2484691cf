/** In the place of what is on its way. */
import { Center, Loader } from "@mantine/core";

export function Loading({ height = 240, label = "Loading" }: { height?: number | string; label?: string }) {
  return (
    <Center h={height}>
      <Loader aria-label={label} />
    </Center>
  );
}
