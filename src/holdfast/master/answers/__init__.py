"""What lies where: questions put to the owners of repositories, and their answers merged. Who did not answer is named."""
