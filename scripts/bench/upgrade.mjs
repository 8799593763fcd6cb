export async function upgradeRows() {
  return [];
}
