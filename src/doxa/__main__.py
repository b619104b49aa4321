"""`python -m doxa`, so that torchrun and accelerate can launch it."""

from doxa.cli import main

if __name__ == "__main__":
    main()
